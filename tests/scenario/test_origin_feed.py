"""The feed of the real origin: lists for somebody known and for anybody, by what they watch and follow."""
from catalogue import CONFIG, Catalogue, slug
from lab import get, until


def start(lab):
    return Catalogue(lab.origin(workers=0, extra=CONFIG + "limits:\n  reactions: {burst: 1000}\n"))


def pages(person, path, limit=10):
    """All items of all pages."""
    items, cursor = [], ""
    while cursor is not None:
        page = person.get(f"{path}?limit={limit}{'&cursor=' + cursor if cursor else ''}")
        assert page.status == 200, page.body
        items += page.json()["videos"]
        cursor = page.json()["next_cursor"]
    return items


def until_the_feed_knows(catalogue, n):
    until(lambda: catalogue.origin.metric("origin_feed_videos") == n, f"{n} videos")


def test_a_feed_shows_nobody_twice_in_a_row_and_nothing_twice(lab):
    catalogue = start(lab)
    makers = [catalogue.person(f"m{i}@example.org") for i in range(4)]
    for i in range(16):
        catalogue.publish(makers[i % 4], f"Film {i}", tags=[f"tag {i % 8}"], sound=f"song {i % 7}")
    catalogue.origin.kill()
    catalogue.origin.start()  # the first round of a process sees all that is there
    until_the_feed_knows(catalogue, 16)
    ada = catalogue.person("ada@example.org")
    shown = pages(ada, "feed", 5)
    owners = [item["owner"] for item in shown]
    assert len(shown) >= 12
    assert len({item["id"] for item in shown}) == len(shown)
    assert all(a != b for a, b in zip(owners, owners[1:]))
    assert {item["because"] for item in shown} <= {"watched", "new"}
    anybody = get(f"{catalogue.api}/feed")
    assert anybody.status == 200 and anybody.json()["ranked"] and anybody.json()["videos"]
    assert slug(ada.get("feed?cursor=nonsense")) == "bad-cursor"
    assert slug(ada.get("feed?limit=0")) == "bad-limit"


def test_following_is_in_the_order_of_time_and_of_whom_one_follows(lab):
    catalogue = start(lab)
    ada, bob, eve = (catalogue.person(f"{name}@example.org") for name in ("ada", "bob", "eve"))
    films = [catalogue.publish(maker, f"Film {i}") for i in range(4) for maker in (bob, eve)]
    assert pages(ada, "feed/following") == []
    assert ada.put(f"users/{bob.id}/follow").status == 200
    assert [item["id"] for item in pages(ada, "feed/following", 3)] == films[-2::-2]
    assert get(f"{catalogue.api}/feed/following").status == 401


def test_what_is_taken_away_is_not_shown(lab):
    catalogue = start(lab)
    bob, eve = catalogue.person("bob@example.org"), catalogue.person("eve@example.org")
    gone, stays = catalogue.publish(bob), catalogue.publish(eve)
    catalogue.origin.kill()
    catalogue.origin.start()
    until_the_feed_knows(catalogue, 2)
    assert bob.delete(f"videos/{gone}").status == 204
    assert [item["id"] for item in pages(eve, "feed")] == [stays]


def test_what_trends_is_shown_to_somebody_of_whom_nothing_is_known(lab):
    catalogue = start(lab)
    bob, eve = catalogue.person("bob@example.org"), catalogue.person("eve@example.org")
    catalogue.publish(bob)
    trends = catalogue.publish(eve)
    for i in range(5):
        assert catalogue.person(f"p{i}@example.org").put(f"videos/{trends}/like").status == 200
    catalogue.origin.kill()
    catalogue.origin.start()
    until_the_feed_knows(catalogue, 2)
    because = {item["id"]: item["because"] for item in get(f"{catalogue.api}/feed").json()["videos"]}
    assert because[trends] == "trending", because
