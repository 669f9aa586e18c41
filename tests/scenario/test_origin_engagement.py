"""What people do with videos at the real origin: each act counts once, whoever repeats it, and
admins have the last word."""
import concurrent.futures

import pytest

from catalogue import CONFIG, Catalogue, quota, slug
from lab import call, get

ADMIN = "root@example.org"
RULES = CONFIG + f"admins: [{ADMIN}]\ncategories: [food, music]\n"
FREE = "limits:\n  reactions: {burst: 1000}\n  comments: {burst: 1000}\n"


def start(lab, extra=FREE, **options):
    return Catalogue(lab.origin(workers=0, extra=RULES + extra, **options))


def counts(catalogue, video):
    return catalogue.about(video)["counts"]


def test_a_like_counts_once_however_often_it_is_sent(lab):
    catalogue = start(lab)
    ada, bob = catalogue.person("ada@example.org"), catalogue.person("bob@example.org")
    video = catalogue.publish(ada)
    assert counts(catalogue, video) == {"views": 0, "likes": 0, "comments": 0, "shares": 0, "saves": 0}
    for likes in (1, 1):
        assert bob.put(f"videos/{video}/like").json() == {"liked": True, "likes": likes}
    assert ada.put(f"videos/{video}/like").json()["likes"] == 2
    assert bob.put(f"videos/{video}/save").json() == {"saved": True, "saves": 1}
    assert bob.get(f"videos/{video}").json()["mine"] == {"liked": True, "saved": True, "following": False}
    assert "mine" not in catalogue.about(video)
    for likes in (1, 1):
        assert bob.delete(f"videos/{video}/like").json() == {"liked": False, "likes": likes}
    assert counts(catalogue, video)["likes"] == 1 and counts(catalogue, video)["saves"] == 1
    assert call("PUT", f"{catalogue.api}/videos/{video}/like").status == 401
    assert slug(bob.put(f"videos/{'a' * 26}/like")) == "no-video"
    unready = catalogue.hand_in(ada)
    assert slug(ada.put(f"videos/{unready}/like")) == "no-video"


def test_a_hundred_likes_at_once_are_a_hundred(lab):
    catalogue = start(lab)
    ada = catalogue.person("ada@example.org")
    video = catalogue.publish(ada)
    with concurrent.futures.ThreadPoolExecutor(100) as crowd:
        people = list(crowd.map(lambda i: catalogue.person(f"p{i}@example.org"), range(8)))
        done = list(crowd.map(lambda i: people[i % 8].put(f"videos/{video}/like").status, range(100)))
        assert set(done) == {200}
        assert counts(catalogue, video)["likes"] == 8
        shares = list(crowd.map(lambda i: people[i % 8].post(
            f"videos/{video}/share", {"channel": "link"}, key=f"key-{i % 50}").status, range(100)))
        assert set(shares) == {201}
    # key-N is each person's own: with 100 shares by 8 people, each (person, key) came once or twice.
    assert counts(catalogue, video)["shares"] == len({(i % 8, i % 50) for i in range(100)})
    catalogue.origin.kill()
    catalogue.origin.start()
    assert counts(catalogue, video)["likes"] == 8
    assert people[0].put(f"videos/{video}/like").json()["likes"] == 8


def test_a_post_with_a_key_is_carried_out_once(lab):
    catalogue = start(lab)
    ada, bob = catalogue.person("ada@example.org"), catalogue.person("bob@example.org")
    video = catalogue.publish(ada)
    path, said = f"videos/{video}/comments", {"text": "Well cut."}
    first = ada.post(path, said, key='"k-1"')
    again = ada.post(path, said, key="k-1")
    assert first.status == again.status == 201 and first.body == again.body
    assert bob.post(path, said, key="k-1").json()["id"] != first.json()["id"]
    reused = ada.post(path, {"text": "Something else."}, key="k-1")
    assert reused.status == 422 and slug(reused) == "idempotency-key-reused"
    assert ada.post(path, said).json()["id"] != first.json()["id"]
    assert counts(catalogue, video)["comments"] == 3
    for hidden in "\x07", "\x85", "\u202e", "\u2066":
        assert slug(ada.post(path, {"text": f"Well {hidden}cut."})) == "bad-field"
    assert ada.post(path, {"text": "Schön – „gut“ 👍🏽 שלום"}).status == 201
    assert slug(ada.post(path, said, key="k" * 256)) == "bad-idempotency-key"
    assert catalogue.origin.metric("origin_engagement_repeated_total") == 1


def test_comments_have_pages_and_replies(lab):
    catalogue = start(lab)
    ada, bob = catalogue.person("ada@example.org", "Ada"), catalogue.person("bob@example.org")
    video = catalogue.publish(ada)
    path = f"videos/{video}/comments"
    made = [ada.post(path, {"text": f"number {i}\nand more"}).json() for i in range(5)]
    reply = bob.post(path, {"text": "yes", "parent": made[0]["id"]}).json()
    deeper = bob.post(path, {"text": "no", "parent": reply["id"]}).json()
    assert reply["parent"] == deeper["parent"] == made[0]["id"]
    seen, cursor = [], ""
    while cursor is not None:
        page = get(f"{catalogue.api}/{path}?limit=2{cursor and '&cursor=' + cursor}").json()
        seen += page["comments"]
        cursor = page["next_cursor"]
    assert [c["id"] for c in seen] == [c["id"] for c in reversed(made)]
    assert seen[-1]["replies"] == 2 and seen[-1]["user_name"] == "Ada"
    replies = get(f"{catalogue.api}/{path}?parent={made[0]['id']}").json()["comments"]
    assert [c["id"] for c in replies] == [reply["id"], deeper["id"]]
    assert counts(catalogue, video)["comments"] == 7
    for bad in ({"text": ""}, {"text": "x" * 2001}, {"text": "bell \a"}, {}, {"text": 1}):
        assert bob.post(path, bad).status == 422
    other = catalogue.publish(ada)
    assert slug(bob.post(f"videos/{other}/comments",
                         {"text": "x", "parent": reply["id"]})) == "no-comment"
    assert get(f"{catalogue.api}/{path}?cursor=x").status == 400


def test_a_comment_goes_when_who_may_removes_it(lab):
    catalogue = start(lab)
    ada, bob, eve = (catalogue.person(f"{n}@example.org") for n in ("ada", "bob", "eve"))
    root = catalogue.person(ADMIN)
    video = catalogue.publish(ada)
    path = f"videos/{video}/comments"
    first, second, third = (bob.post(path, {"text": t}).json()["id"] for t in "abc")
    reply = eve.post(path, {"text": "r", "parent": first}).json()["id"]
    assert slug(eve.delete(f"comments/{first}")) == "not-allowed"
    assert bob.delete(f"comments/{first}").status == 204  # the author
    assert ada.delete(f"comments/{second}").status == 204  # the owner of the video
    assert root.delete(f"comments/{third}").status == 204
    left = get(f"{catalogue.api}/{path}").json()["comments"]
    assert [(c["id"], c["removed"], c["text"], c["user"]) for c in left] == [(first, True, None, None)]
    assert counts(catalogue, video)["comments"] == 1
    assert slug(bob.delete(f"comments/{first}")) == "no-comment"
    assert slug(eve.post(path, {"text": "r", "parent": first})) == "no-comment"
    assert eve.delete(f"comments/{reply}").status == 204
    assert get(f"{catalogue.api}/{path}").json()["comments"] == []


def test_following_moves_both_sums(lab):
    catalogue = start(lab)
    ada, bob = catalogue.person("ada@example.org", "Ada L."), catalogue.person("bob@example.org")
    video = catalogue.publish(ada)
    for _ in range(2):
        assert bob.put(f"users/{ada.id}/follow").json() == {"following": True, "followers": 1}
    assert bob.get(f"videos/{video}").json()["mine"]["following"]
    assert get(f"{catalogue.api}/users/{ada.id}").json()["followers"] == 1
    me = bob.get("me").json()
    assert me["following"] == 1 and me["email"] == "bob@example.org" and not me["is_admin"]
    assert [u["name"] for u in bob.get("me/following").json()["users"]] == ["Ada L."]
    assert slug(bob.put(f"users/{bob.id}/follow")) == "yourself"
    assert slug(bob.put(f"users/{'a' * 26}/follow")) == "no-user"
    assert bob.delete(f"users/{ada.id}/follow").json() == {"following": False, "followers": 0}
    assert bob.get("me").json()["following"] == 0
    assert "email" not in get(f"{catalogue.api}/users/{ada.id}").json()


def test_what_one_likes_is_listed_latest_first(lab):
    catalogue = start(lab)
    ada = catalogue.person("ada@example.org")
    videos = [catalogue.publish(ada, f"number {i}") for i in range(5)]
    for video in videos:
        assert ada.put(f"videos/{video}/like").status == 200
    assert ada.put(f"videos/{videos[2]}/save").status == 200
    seen, cursor = [], ""
    while cursor is not None:
        page = ada.get(f"me/likes?limit=2{cursor and '&cursor=' + cursor}").json()
        seen += [v["id"] for v in page["videos"]]
        cursor = page["next_cursor"]
    assert sorted(seen) == sorted(videos) and seen[0] == videos[-1]
    assert [v["id"] for v in ada.get("me/saves").json()["videos"]] == [videos[2]]
    assert ada.delete(f"videos/{videos[2]}").status == 204
    assert ada.get("me/saves").json()["videos"] == []


def test_who_does_too_much_waits_and_is_told_how_long(lab):
    limits = "limits:\n  reactions: {burst: 3, refill: 10m}\n  comments: {burst: 1, refill: 5m}\n"
    catalogue = start(lab, limits + "", clock=True)
    ada, bob = catalogue.person("ada@example.org"), catalogue.person("bob@example.org")
    video = catalogue.publish(ada)
    like = f"videos/{video}/like"
    assert [quota(ada.put(like))[:3] for _ in range(3)] == [(3, 1800, left) for left in (2, 1, 0)]
    refused = ada.put(like)
    assert refused.status == 429 and slug(refused) == "too-many-requests"
    assert 590 <= int(refused.headers["Retry-After"]) <= 600 and quota(refused)[2] == 0
    assert bob.put(like).status == 200
    assert ada.post(f"videos/{video}/comments", {"text": "another bucket"}).status == 201
    assert ada.post(f"videos/{video}/comments", {"text": "empty now"}).status == 429
    catalogue.origin.clock.forward(600)
    assert ada.put(like).status == 200 and ada.put(like).status == 429
    assert catalogue.origin.metric("origin_engagement_limited_total") == 3


def test_a_deactivated_video_is_gone_but_for_its_owner_who_is_told_why(lab):
    catalogue = start(lab)
    ada, bob = catalogue.person("ada@example.org"), catalogue.person("bob@example.org")
    root = catalogue.person(ADMIN)
    video, other = catalogue.publish(ada), catalogue.publish(ada)
    assert bob.put(f"videos/{video}/like").status == 200
    assert catalogue.media(video).status == 200
    said = {"reason": "Not yours to show."}
    assert slug(bob.post(f"videos/{video}/deactivate", said)) == "not-an-admin"
    assert slug(ada.post(f"videos/{video}/deactivate", said)) == "not-an-admin"
    assert root.post(f"videos/{video}/deactivate", {}).status == 422
    assert root.post(f"videos/{video}/deactivate", said).json() == {"id": video, "active": False}

    for path in ("", "/status", "/manifest", "/comments"):
        assert slug(get(f"{catalogue.api}/videos/{video}{path}")) == "no-video"
        assert get(f"{catalogue.api}/videos/{other}{path}").status in (200, 302)
    assert catalogue.media(video).status == 404 and catalogue.media(other).status == 200
    assert [v["id"] for v in get(f"{catalogue.api}/videos").json()["videos"]] == [other]
    assert [v["id"] for v in get(f"{catalogue.api}/videos?owner={ada.id}").json()["videos"]] == [other]
    assert get(f"{catalogue.api}/videos?owner={bob.id}").json()["videos"] == []
    assert bob.get("me/likes").json()["videos"] == []
    assert bob.put(f"videos/{video}/like").status == 404
    for who in (ada, root):
        assert who.get(f"videos/{video}").json()["deactivated"]["reason"] == "Not yours to show."
    mine = {v["id"]: v for v in ada.get("videos?owner=me").json()["videos"]}
    assert "deactivated" in mine[video] and "deactivated" not in mine[other]

    assert root.post(f"videos/{video}/activate", {"reason": "A mistake."}).status == 200
    assert catalogue.media(video).status == 200
    assert [v["id"] for v in bob.get("me/likes").json()["videos"]] == [video]
    decisions = root.get(f"videos/{video}/moderation").json()["decisions"]
    assert [(d["action"], d["reason"], d["admin"]) for d in decisions] == [
        ("activate", "A mistake.", root.id), ("deactivate", "Not yours to show.", root.id)]
    assert slug(ada.get(f"videos/{video}/moderation")) == "not-an-admin"
    assert slug(root.post(f"videos/{'a' * 26}/activate", said)) == "no-video"


@pytest.mark.parametrize("category, status", [("food", 201), ("", 201), ("spam", 422), (7, 422)])
def test_a_video_has_one_of_the_sites_categories(lab, category, status):
    catalogue = start(lab)
    ada = catalogue.person("ada@example.org")
    made = ada.post("videos", {"title": "T", "filename": "c.mp4", "size": 4, "category": category})
    assert made.status == status
    if status == 201:
        about = ada.get(f"videos/{made.json()['id']}").json()
        assert about["category"] == (category or None)
