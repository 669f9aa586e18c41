"""Who is served: signed URLs, JWT, CORS; and what becomes of the token."""
import base64
import hashlib
import hmac
import json
import re
import subprocess
import time
import urllib.parse

from lab import BUILD, get, until

SECRET = "sixteen bytes or more"
OTHER = "another sixteen bytes or more"
HOST = {"Host": "film.example"}


def sign(text, secret=SECRET):
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"{text}~hmac={mac}"


def signed(path="/v/", kid="k1", secret=SECRET, seconds=600, net=None):
    net = f"~net={net}" if net else ""
    return sign(f"kid={kid}~exp={int(time.time()) + seconds}{net}~path={path}", secret)


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(claims, secret=OTHER, kid="j1", key=None):
    """With HS256; with ES256 through the openssl command if there is a `key`."""
    head = {"alg": "ES256" if key else "HS256", "kid": "e1" if key else kid}
    text = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
    if not key:
        return f"{text}.{base64url(hmac.new(secret.encode(), text.encode(), 'sha256').digest())}"
    der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(),
                         capture_output=True, check=True).stdout
    # SEQUENCE { INTEGER r, INTEGER s } as two numbers of 32 bytes
    r_len = der[3]
    r, s = der[4:4 + r_len], der[6 + r_len:]
    return f"{text}.{base64url(r[-32:].rjust(32, b'0') + s[-32:].rjust(32, bytes(1)))}"


def site(access="", cors=""):
    return ("sites:\n  - hosts: [film.example]\n" + (f"    access: {access}\n" if access else "")
            + (f"    cors: {cors}\n" if cors else ""))


def guarded(lab, access="{keys: [{id: k1, secret_file: %s}], cookie: pass, in_path: true}",
            more="", cors=""):
    """An edge whose site wants tokens: (origin, edge)."""
    origin = lab.scripted_origin()
    origin.put("/v/1.m4s", b"x" * 1000)
    origin.put("/v/1.m4s?a&b", b"x" * 1000)
    origin.put("/v2/1.m4s", b"y" * 1000)
    secret = lab.dir / "k1.secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    edge = lab.edge(upstreams=[origin.url], workers=1,
                    extra=site(access.replace("%s", str(secret)), cors) + more)
    return origin, edge


def ask(edge, target, headers=(), **more):
    return get(edge.url + target, headers={**HOST, **dict(headers)}, **more)


def refused(answer, status, slug):
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert json.loads(answer.body)["type"] == f"/problems/{slug}"
    return True


def test_a_signed_url_opens_what_it_is_for(lab):
    origin, edge = guarded(lab)
    assert ask(edge, f"/v/1.m4s?token={signed()}").body == b"x" * 1000
    refused(ask(edge, "/v/1.m4s"), 403, "token-missing")
    refused(ask(edge, f"/v2/1.m4s?token={signed('/v')}"), 403, "token-other-path")
    refused(ask(edge, f"/v/../v2/1.m4s?token={signed()}"), 403, "token-other-path")
    refused(ask(edge, f"/v/%2e%2e/v2/1.m4s?token={signed()}"), 403, "token-other-path")
    refused(ask(edge, f"/v/..%2fv2/1.m4s?token={signed()}"), 403, "token-other-path")
    refused(ask(edge, f"/v/1.m4s?token={signed(seconds=-60)}"), 403, "token-expired")
    refused(ask(edge, f"/v/1.m4s?token={signed(secret=OTHER)}"), 403, "token-invalid")
    refused(ask(edge, f"/v/1.m4s?token={signed(kid='k9')}"), 403, "token-invalid")
    refused(ask(edge, f"/v/1.m4s?token={signed(net='192.0.2.0/24')}"), 403, "token-other-network")
    assert ask(edge, f"/v/1.m4s?token={signed(net='127.0.0.0/8')}").status == 200
    assert origin.count() == 1
    for cause, n in {"granted": 2, "missing": 1, "other-path": 4, "expired": 1, "forged": 1,
                     "unknown-key": 1, "other-network": 1}.items():
        assert edge.metric(f'edge_access_total{{cause="{cause}"}}') == n, cause


def test_a_token_may_come_in_a_cookie_or_in_the_path(lab):
    _, edge = guarded(lab)
    segment = urllib.parse.quote(signed(), safe="=~")
    assert ask(edge, f"/{segment}/v/1.m4s").body == b"x" * 1000
    assert ask(edge, "/v/1.m4s", {"Cookie": f"a=1; pass={signed()}"}).body == b"x" * 1000
    refused(ask(edge, f"/{segment}/v2/1.m4s"), 403, "token-other-path")


def test_two_tokens_share_one_object_and_neither_is_seen(lab):
    log = lab.dir / "access.log"
    origin, edge = guarded(lab, more=f"access_log: {{format: json, path: {log}}}\n")
    for n in range(5):
        token = signed(seconds=600 + n)
        answer = ask(edge, f"/v/1.m4s?token={token}" if n % 2 else f"/v/1.m4s?a&token={token}&b",
                     {"Cookie": f"pass={token}"})
        assert answer.status == 200
    assert origin.count() == 2  # with "?a&b" and without
    seen = "".join(r.target + str(r.headers) for r in origin.requests())
    assert "hmac" not in seen and "pass=" not in seen and "token" not in seen
    until(lambda: log.exists() and log.read_text().count("\n") == 5, "all is logged")
    assert "hmac" not in log.read_text() + edge.log()


def test_the_openssl_command_signs_as_documented(lab):
    _, edge = guarded(lab)
    script = r'''
      message="kid=k1~exp=$(( $(date +%s) + 3600 ))~path=/v/"
      mac=$(printf %s "$message" | openssl dgst -sha256 -hmac "$(cat k1.secret)" | sed 's/.*= //')
      echo "$message~hmac=$mac"'''
    token = subprocess.run(["sh", "-c", script], cwd=lab.dir, capture_output=True, text=True,
                           check=True).stdout.strip()
    assert ask(edge, f"/v/1.m4s?token={token}").status == 200


def test_a_bearer_token_is_checked_here_and_goes_no_further(lab):
    origin, edge = guarded(lab, "{keys: [{id: j1, algorithm: HS256, secret: %r}], audience: tv}"
                           % OTHER)
    claims = {"exp": int(time.time()) + 600, "aud": "tv", "path": "/v/", "sub": "viewer-7"}
    for _ in range(3):
        answer = ask(edge, "/v/1.m4s", {"Authorization": f"Bearer {jwt(claims)}"})
        assert answer.status == 200
    assert "; hit" in answer.headers["Cache-Status"]
    assert origin.count() == 1 and "Authorization" not in origin.requests()[0].headers
    assert ask(edge, f"/v/1.m4s?token={jwt(claims)}").status == 200
    assert edge.metric("edge_access_verified_total") == 1

    answer = ask(edge, "/v/1.m4s")
    assert refused(answer, 401, "token-missing")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="film.example"'
    bad = [(dict(claims, exp=1), 401, "token-expired", "invalid_token"),
           (dict(claims, aud="radio"), 403, "token-other-audience", "insufficient_scope"),
           (dict(claims, path="/w/"), 403, "token-other-path", "insufficient_scope")]
    for changed, status, slug, error in bad:
        answer = ask(edge, "/v/1.m4s", {"Authorization": f"Bearer {jwt(changed)}"})
        assert refused(answer, status, slug)
        assert f'error="{error}"' in answer.headers["WWW-Authenticate"]
    forged = jwt(claims, secret="x" * 30)
    for token in (forged, "e30.e30.A=AA", "eyJhbGciOiJub25lIn0.e30.e30", "x", ""):
        refused(ask(edge, "/v/1.m4s", {"Authorization": f"Bearer {token}"}), 401, "token-invalid")


def test_a_signature_of_es256_is_verified_once(lab):
    private, public = lab.dir / "e1.key", lab.dir / "e1.pem"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
                    private], check=True, capture_output=True)
    subprocess.run(["openssl", "ec", "-in", private, "-pubout", "-out", public], check=True,
                   capture_output=True)
    origin, edge = guarded(lab, "{keys: [{id: e1, algorithm: ES256, key_file: %s}]}" % public)
    claims = {"exp": int(time.time()) + 600, "path": ["/v/", "/w/"]}
    token = jwt(claims, key=private)
    for _ in range(10):
        assert ask(edge, f"/v/1.m4s?token={token}").status == 200
    assert edge.metric("edge_access_verified_total") == 1 and origin.count() == 1
    refused(ask(edge, f"/v2/1.m4s?token={token}"), 403, "token-other-path")
    changed = token[:-3] + ("AAA" if token[-3:] != "AAA" else "BBB")
    refused(ask(edge, f"/v/1.m4s?token={changed}"), 403, "token-invalid")
    # the public key as a secret: the classic
    refused(ask(edge, f"/v/1.m4s?token={jwt(claims, public.read_text(), 'e1')}"), 403,
            "token-invalid")
    assert edge.metric("edge_access_verified_total") == 3


def test_keys_are_changed_while_it_runs(lab):
    _, edge = guarded(lab)
    old = signed()
    new = signed(kid="k2", secret=OTHER)
    config = edge.config_path.read_text()
    (lab.dir / "k2.secret").write_text(OTHER)

    def reload(keys):
        edge.config_path.write_text(config.replace(f"{{id: k1, secret_file: {lab.dir}/k1.secret}}", keys))
        assert get(edge.admin + "/reload", method="POST").status == 200

    def status(token):
        return ask(edge, f"/v/1.m4s?token={token}").status

    assert [status(old), status(new)] == [200, 403]
    key = "{id: %s, secret_file: %s/%s.secret}"
    both = [key % (k, lab.dir, k) for k in ("k1", "k2")]
    reload(", ".join(both))
    assert [status(old), status(new)] == [200, 200]
    assert "everybody on this machine can read a secret" in edge.log()
    reload(both[1])
    assert [status(old), status(new)] == [403, 200]
    edge.config_path.write_text(config.replace("k1.secret", "none"))
    answer = get(edge.admin + "/reload", method="POST")
    assert answer.status != 200 and b"key 'k1'" in answer.body
    assert [status(old), status(new)] == [403, 200]
    assert SECRET not in edge.log() and OTHER not in edge.log()


def test_a_key_that_cannot_be_used_is_told_before_the_start(lab):
    _, edge = guarded(lab)
    config = edge.config_path.read_text()
    for name, told in (("none", r"edge\.yaml:\d+:\d+: 'secret_file': cannot read '.*/none': "),
                       ("short", "site 'film.example': key 'k1'.*less than 16 bytes")):
        (lab.dir / "short").write_text("secret")
        edge.config_path.write_text(config.replace("k1.secret", name))
        done = subprocess.run([BUILD / "forebay-edge", "--config", edge.config_path, "--check"],
                              capture_output=True, text=True)
        assert done.returncode == 2 and re.search(told, done.stderr), done.stderr
    assert edge.log().count("hosts that no site names") == 1


def test_a_secret_that_everybody_can_read_is_told_before_the_start(lab):
    _, edge = guarded(lab)

    def told(mode):
        (lab.dir / "k1.secret").chmod(mode)
        done = subprocess.run([BUILD / "forebay-edge", "--config", edge.config_path, "--check"],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stderr.count("everybody on this machine can read a secret")

    assert [told(0o640), told(0o644)] == [0, 1]
    assert "can read a secret" not in edge.log()
    edge.restart()
    assert edge.log().count("can read a secret") == 1


def test_other_sites_and_open_paths_need_nothing(lab):
    _, edge = guarded(lab, "{keys: [{id: k1, secret: %r}], open: [/v2/]}" % SECRET)
    assert ask(edge, "/v2/1.m4s").status == 200
    refused(ask(edge, "/v/1.m4s"), 403, "token-missing")
    assert get(edge.url + "/v/1.m4s").status == 200  # another Host, another site
    assert "hosts that no site names reach the same upstream without a token" in edge.log()


def preflight(edge, origin, target="/v/1.m4s"):
    return ask(edge, target, {"Origin": origin, "Access-Control-Request-Method": "GET",
                              "Access-Control-Request-Headers": "range"}, method="OPTIONS")


def test_a_page_of_a_listed_origin_may_play(lab):
    origin, edge = guarded(lab, cors="{origins: ['https://play.example', 'https://*.tv.example'], "
                                     "credentials: true, max_age: 10m}")
    origin.put("/v/1.m4s", b"x" * 1000, headers={"Access-Control-Allow-Origin": "https://old"})
    answer = preflight(edge, "https://play.example")
    assert answer.status == 204 and answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert "Range" in answer.headers["Access-Control-Allow-Headers"]
    assert answer.headers["Access-Control-Max-Age"] == "600"
    refused(preflight(edge, "https://evil.example"), 403, "cors-origin")
    for page in ("https://play.example", "https://a.tv.example"):
        answer = ask(edge, f"/v/1.m4s?token={signed()}", {"Origin": page})
        assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == page
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert answer.headers["Vary"] == "Origin"
    answer = ask(edge, "/v/1.m4s", {"Origin": page})
    refused(answer, 403, "token-missing")
    assert answer.headers["Access-Control-Allow-Origin"] == page
    answer = ask(edge, f"/v/1.m4s?token={signed()}", {"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Vary"] == "Origin"
    assert origin.count() == 1 and "Origin" not in origin.requests()[0].headers


def test_all_pages_may_play_where_that_is_said(lab):
    origin, edge = guarded(lab, "", cors="{origins: ['*']}")
    answer = preflight(edge, "https://any.example")
    assert answer.status == 204 and answer.headers["Access-Control-Allow-Origin"] == "*"
    answer = ask(edge, "/v/1.m4s", {"Origin": "https://any.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*" and "Vary" not in answer.headers
    answer = ask(edge, "/v/none", {"Origin": "https://any.example"})
    assert answer.status == 404 and answer.headers["Access-Control-Allow-Origin"] == "*"
    assert not any(r.method == "OPTIONS" for r in origin.requests())


def test_without_cors_the_upstream_answers_for_itself(lab):
    origin, edge = guarded(lab, "")
    origin.put("/v/1.m4s", b"x", headers={"Access-Control-Allow-Origin": "https://its.own"})
    answer = ask(edge, "/v/1.m4s", {"Origin": "https://any.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://its.own"
    preflight(edge, "https://any.example")
    assert origin.requests()[-1].method == "OPTIONS"
