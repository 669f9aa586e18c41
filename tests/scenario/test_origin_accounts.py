"""Accounts at the real origin: who may do what, and for how long."""
import base64
import json
import threading

from lab import call, get, until

EMAIL, PASSWORD = "ada@example.org", "correct horse battery"
QUICK = "auth:\n  hash_memory: 1MiB\n"


def start(lab):
    return lab.origin(workers=0, extra=QUICK)


def post(origin, path, value, token=None):
    return call("POST", f"{origin.url}/api/v1/{path}", value, token)


def sign_up(origin, email=EMAIL):
    account = {"email": email, "password": PASSWORD}
    assert post(origin, "auth/register", account).status == 201
    return post(origin, "auth/login", account).json()


def create(origin, token, **fields):
    video = {"title": "A title", "filename": "clip.mp4", "size": 10, **fields}
    return post(origin, "videos", video, token)


def slug(response):
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status
    return problem["type"].rpartition("/")[2]


def test_an_account_is_made_once_and_its_address_ignores_case(lab):
    origin = start(lab)
    sign_up(origin)
    again = post(origin, "auth/register", {"email": "ADA@example.org", "password": PASSWORD})
    assert again.status == 409 and slug(again) == "account-exists"
    assert post(origin, "auth/login", {"email": "Ada@Example.org", "password": PASSWORD}).status == 200


def test_a_wrong_password_and_an_unknown_account_look_the_same(lab):
    origin = start(lab)
    sign_up(origin)
    wrong = post(origin, "auth/login", {"email": EMAIL, "password": "not the password"})
    unknown = post(origin, "auth/login", {"email": "eve@example.org", "password": PASSWORD})
    assert wrong.status == unknown.status == 401
    assert wrong.body == unknown.body


def test_bad_fields_are_named(lab):
    origin = start(lab)
    for account, word in [({"email": "ada", "password": PASSWORD}, "e-mail"),
                          ({"email": EMAIL, "password": "short"}, "password"),
                          ({"email": EMAIL}, "password"),
                          ({"email": 7, "password": PASSWORD}, "email")]:
        refused = post(origin, "auth/register", account)
        assert refused.status == 422 and word in refused.json()["detail"], refused.body
    for body in (b"", b"{", b"[]", b'"x"', b'{"email":"\xff"}', b'{"a":1,"a":2}'):
        json_type = {"Content-Type": "application/json"}
        assert get(origin.url + "/api/v1/auth/login", "POST", json_type, body).status == 400
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert get(origin.url + "/api/v1/auth/login", "POST", form, b"email=a").status == 415
    token = sign_up(origin)["access_token"]
    for fields, word in [({"title": ""}, "title"), ({"title": "x" * 151}, "title"),
                         ({"description": "x" * 5001}, "description"), ({"tags": "a"}, "tags"),
                         ({"tags": ["a"] * 21}, "tags"), ({"tags": [1]}, "tags"),
                         ({"title": "a\nb"}, "title"), ({"size": 0}, "size"),
                         ({"size": 2**60}, "bytes"), ({"filename": "x" * 256}, "filename")]:
        refused = create(origin, token, **fields)
        assert refused.status == 422 and word in refused.json()["detail"], refused.body
    assert create(origin, token, title="ä" * 150, tags=["ü"] * 20).status == 201


def test_without_a_good_token_nothing_is_made(lab):
    origin = start(lab)
    token = sign_up(origin)["access_token"]
    head, claims, mark = token.split(".")
    forged = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"sub": "a" * 26}
    forged = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    for bad in ("x", f"{head}.{forged}.{mark}", f"{none}.{claims}.", f"{head}.{claims}.",
                f"{head}.{claims}.{mark[:-4]}AAAA", "a" * 3000):
        refused = create(origin, bad)
        assert refused.status == 401 and slug(refused) == "bad-token"
        assert "invalid_token" in refused.headers["WWW-Authenticate"]
    assert slug(create(origin, None)) == "log-in"
    assert create(origin, token).status == 201


def test_an_access_token_expires(lab):
    origin = lab.origin(workers=0, extra="auth:\n  hash_memory: 1MiB\n  access_ttl: 1s\n")
    token = sign_up(origin)["access_token"]
    refused = until(lambda: (answer := create(origin, token)).status == 401 and answer,
                    "the token has expired")
    assert slug(refused) == "token-expired"


def test_a_session_goes_on_by_rotation_and_a_stolen_token_ends_it(lab):
    origin = start(lab)
    first = sign_up(origin)["refresh_token"]
    answer = post(origin, "auth/refresh", {"refresh_token": first}).json()
    second = answer["refresh_token"]
    assert second != first
    assert create(origin, answer["access_token"]).status == 201
    third = post(origin, "auth/refresh", {"refresh_token": second}).json()["refresh_token"]
    assert post(origin, "auth/refresh", {"refresh_token": first}).status == 401
    assert post(origin, "auth/refresh", {"refresh_token": third}).status == 401


def test_after_logging_out_the_session_is_over(lab):
    origin = start(lab)
    token = sign_up(origin)["refresh_token"]
    assert post(origin, "auth/logout", {"refresh_token": token}).status == 204
    assert post(origin, "auth/refresh", {"refresh_token": token}).status == 401
    assert post(origin, "auth/logout", {"refresh_token": token}).status == 204


def test_guessing_is_slowed_down(lab):
    origin = start(lab)
    sign_up(origin)
    guess = {"email": EMAIL, "password": "a guess or so"}
    refused = until(lambda: (answer := post(origin, "auth/login", guess)).status == 429 and answer,
                    "guessing is refused")
    assert int(refused.headers["Retry-After"]) >= 1
    other = {"email": "bob@example.org", "password": "a guess or so"}
    assert post(origin, "auth/login", other).status == 401


def test_accounts_and_tokens_survive_a_restart(lab):
    origin = start(lab)
    session = sign_up(origin)
    origin.stop()
    origin.start()
    assert create(origin, session["access_token"]).status == 201
    assert post(origin, "auth/refresh", {"refresh_token": session["refresh_token"]}).status == 200
    keys = set((origin.dir / "data" / "keys").iterdir())
    public = {key for key in keys if key.name.endswith(".pub.jwk")}  # what edges are to verify with
    assert public < keys and all(b'"d"' not in key.read_bytes() for key in public)
    assert all(key.stat().st_mode & 0o077 == 0 for key in keys - public)


def test_somebody_elses_video_is_out_of_reach(lab):
    origin = start(lab)
    mine = sign_up(origin)["access_token"]
    theirs = sign_up(origin, "bob@example.org")["access_token"]
    path = "videos/" + create(origin, mine).json()["id"]
    url = f"{origin.url}/api/v1/{path}"
    assert slug(post(origin, path + "/complete", {}, theirs)) == "not-the-owner"
    assert slug(call("DELETE", url, token=theirs)) == "not-the-owner"
    assert call("DELETE", url).status == 401
    assert call("GET", url, token=theirs).status == 404
    assert call("GET", url, token=mine).json()["filename"] == "clip.mp4"
    assert call("DELETE", url, token=mine).status == 204
    assert call("GET", url, token=mine).status == 404


def test_pages_of_ones_own_videos(lab):
    origin = start(lab)
    token = sign_up(origin)["access_token"]
    made = [create(origin, token).json()["id"] for _ in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = call("GET", f"{origin.url}/api/v1/videos?owner=me&limit=2{cursor}", token=token).json()
        seen += [video["id"] for video in page["videos"]]
        cursor = page["next_cursor"] and "&cursor=" + page["next_cursor"]
    assert seen == made[::-1]
    assert call("GET", f"{origin.url}/api/v1/videos").json() == {"videos": [], "next_cursor": None}
    for query in ("limit=0", "limit=101", "limit=x", "cursor=x", "cursor=", "owner=you"):
        assert call("GET", f"{origin.url}/api/v1/videos?{query}", token=token).status == 400


def test_a_flood_of_log_ins_leaves_threads_for_the_rest(lab):
    origin = lab.origin(workers=0, extra="threads: 4\nauth:\n  hash_memory: 128MiB\n")
    answers = []
    flood = [threading.Thread(target=lambda n=n: answers.append(post(
        origin, "auth/login", {"email": f"{n}@example.org", "password": PASSWORD}))) for n in range(20)]
    for client in flood:
        client.start()
    until(lambda: answers, "the flood is under way")
    assert get(f"{origin.url}/api/v1/videos").status == 200
    for client in flood:
        client.join()
    refused = [answer for answer in answers if answer.status != 401]
    assert refused and all(a.status == 503 and "Retry-After" in a.headers for a in refused)
