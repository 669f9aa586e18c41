"""Search at the real origin: what is published is found at once, by what people type."""
import random
import urllib.parse

from catalogue import CONFIG, Catalogue, quota, slug
from lab import get

ADMIN = "root@example.org"
RULES = CONFIG + f"admins: [{ADMIN}]\ncategories: [food, music]\n"
FREE = "limits:\n  searches: {burst: 100000}\n  reactions: {burst: 1000}\n"


def start(lab, extra=FREE, **options):
    return Catalogue(lab.origin(workers=0, extra=RULES + extra, **options))


def search(catalogue, q, path="search", **params):
    query = urllib.parse.urlencode({"q": q, **params})
    return get(f"{catalogue.api}/{path}?{query}")


def found(catalogue, q, **params):
    answer = search(catalogue, q, **params)
    assert answer.status == 200, answer.body
    return [video["title"] for video in answer.json()["videos"]]


def test_a_video_is_found_by_its_title_tags_description_and_owner(lab):
    catalogue = start(lab)
    ada = catalogue.person("ada@example.org", "Ada Lovelace")
    video = catalogue.hand_in(ada, "Käsefondue für zwei", description="Ein Abend am See",
                              tags=["Cheese", "winter"])
    assert found(catalogue, "fondue") == []
    catalogue.work()
    for q in ("käsefondue", "KASEFONDUE", "kasef", "Fondue zwei kas", "cheese", "abend see",
              "lovelace", "zwei für", "für-zwei"):
        assert found(catalogue, q) == (["Käsefondue für zwei"] if q != "Fondue zwei kas" else []), q
    assert found(catalogue, "käsefondue raclette") == []
    answer = search(catalogue, "cheese").json()
    assert answer["corrected"] is None and answer["next_cursor"] is None
    assert answer["videos"][0]["id"] == video and answer["videos"][0]["owner_name"] == "Ada Lovelace"
    assert ada.put("me", {"name": "Grace Hopper"}).status == 200
    assert found(catalogue, "hopper") == ["Käsefondue für zwei"] and found(catalogue, "lovelace") == []
    assert ada.delete(f"videos/{video}").status == 204
    assert found(catalogue, "cheese") == []


def test_a_mistyped_word_finds_the_nearest_that_occurs(lab):
    catalogue = start(lab)
    ada = catalogue.person("ada@example.org")
    for title in ("Kubernetes in ten minutes", "Music from the mountains", "Mosaic floors"):
        catalogue.publish(ada, title)
    for typed, meant in [("kubernets", "kubernetes"), ("Kuberentes", "kubernetes"),
                         ("musik", "music"), ("muzic mountans", "music mountains"),
                         ("montains from", "mountains from")]:
        answer = search(catalogue, typed).json()
        assert answer["corrected"] == meant, typed
        assert len(answer["videos"]) == 1 and meant.split()[0] in answer["videos"][0]["title"].lower()
    for typed in ("xyzzy", "mux", "music xyzzy"):
        assert search(catalogue, typed).json() == {"videos": [], "corrected": None, "next_cursor": None}
    assert catalogue.origin.metric("origin_search_corrected_total") == 5


def test_titles_come_before_descriptions_and_popular_ones_before_others(lab):
    catalogue = start(lab)
    ada, bob = catalogue.person("ada@example.org"), catalogue.person("bob@example.org")
    for i in range(8):
        catalogue.publish(ada, f"Filler number {i}")
    catalogue.publish(ada, "About something else", description="with a lighthouse in it")
    catalogue.publish(ada, "The lighthouse at dawn")
    liked = catalogue.publish(ada, "The lighthouse at dusk")
    catalogue.publish(ada, "The lighthouse at noon")
    for person in (ada, bob):
        assert person.put(f"videos/{liked}/like").status == 200
    order = found(catalogue, "lighthouse")
    assert order[0] == "The lighthouse at dusk" and order[-1] == "About something else"
    assert len(order) == 4


def test_pages_of_one_search_fit_together(lab):
    catalogue = start(lab)
    ada = catalogue.person("ada@example.org")
    titles = {f"river part {i}" for i in range(7)}
    for title in sorted(titles):
        catalogue.publish(ada, title)
    seen, cursor = [], None
    while True:
        page = search(catalogue, "River", limit=3, **({"cursor": cursor} if cursor else {})).json()
        seen += [video["title"] for video in page["videos"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        kept = cursor
    assert len(seen) == 7 and set(seen) == titles
    assert search(catalogue, " river", cursor=kept).status == 200
    for q, extra in (("rivers", {}), ("river", {"duration": "short"})):
        other = search(catalogue, q, cursor=kept, **extra)
        assert other.status == 400 and slug(other) == "bad-cursor"
    for bad in ("x", kept[:-4], kept + "AAAA", "c2VhcmNoOjE6Mjoz"):
        assert slug(search(catalogue, "river", cursor=bad)) == "bad-cursor"


def test_filters_narrow_a_search(lab):
    catalogue = start(lab, clock=True)
    ada = catalogue.person("ada@example.org")
    catalogue.publish(ada, "bread short", 60_000, category="food", tags=["Baking"])
    catalogue.publish(ada, "bread medium", 600_000, category="music")
    catalogue.publish(ada, "bread long", 3_600_000)
    assert found(catalogue, "bread", duration="short") == ["bread short"]
    assert found(catalogue, "bread", duration="medium") == ["bread medium"]
    assert found(catalogue, "bread", duration="long") == ["bread long"]
    assert found(catalogue, "bread", category="music") == ["bread medium"]
    assert found(catalogue, "bread", tag="baking") == found(catalogue, "bread", tag="BAKING") == ["bread short"]
    assert len(found(catalogue, "bread", age="day")) == 3
    catalogue.origin.clock.forward(2 * 24 * 3600)
    assert found(catalogue, "bread", age="day") == [] and len(found(catalogue, "bread", age="week")) == 3
    for bad in ({"duration": "x"}, {"age": "x"}, {"category": "x" * 33}):
        assert slug(search(catalogue, "bread", **bad)) == "bad-filter"


def test_suggestions_are_titles_tags_and_users(lab):
    catalogue = start(lab)
    ada = catalogue.person("ada@example.org", "Cheryl")
    catalogue.publish(ada, "Cheese for beginners", tags=["Cheese", "chess"])
    catalogue.publish(ada, "More of it", tags=["cheese"])
    told = search(catalogue, "che", "search/suggest").json()
    assert [v["title"] for v in told["videos"]] == ["Cheese for beginners"]
    assert told["tags"] == [{"tag": "cheese", "videos": 2}, {"tag": "chess", "videos": 1}]
    assert told["users"] == [{"id": ada.id, "name": "Cheryl", "followers": 0}]
    assert slug(search(catalogue, "", "search/suggest")) == "bad-query"


def test_what_is_deactivated_is_not_found_until_it_is_active_again(lab):
    catalogue = start(lab)
    ada, root = catalogue.person("ada@example.org"), catalogue.person(ADMIN)
    video = catalogue.publish(ada, "Questionable", tags=["doubt"])
    assert root.post(f"videos/{video}/deactivate", {"reason": "No."}).status == 200
    assert found(catalogue, "questionable") == []
    assert search(catalogue, "doubt", "search/suggest").json() == {"videos": [], "tags": [], "users": []}
    assert root.post(f"videos/{video}/activate", {"reason": "Yes."}).status == 200
    assert found(catalogue, "questionable") == ["Questionable"]
    assert len(search(catalogue, "doubt", "search/suggest").json()["tags"]) == 1
    catalogue.origin.kill()
    catalogue.origin.start()
    assert found(catalogue, "questionable") == ["Questionable"]


def test_hostile_queries_are_answered_or_refused_but_never_break(lab):
    catalogue = start(lab)
    catalogue.publish(catalogue.person("ada@example.org"), "A title", tags=["a"])
    pieces = ['"', "'", "*", "^", "(", ")", "AND", "OR", "NOT", "NEAR", "NEAR(a b, 5)", "title:",
              "{title}", "+", "-", ":", ",", "\\", "%", "_", ";--", "a", "ß", "\u0000", "\u202e",
              "😀", "\ufffd", "é", " ", "\t", "title : (", "rank", "col:a*", "—", "​"]
    draw = random.Random(7)
    queries = pieces + ["".join(draw.choice(pieces) for _ in range(draw.randrange(1, 12)))
                        for _ in range(100)] + ["x" * 10_000, "a " * 100, '"' * 256, "é" * 128]
    for q in queries:
        for path in ("search", "search/suggest"):
            answer = search(catalogue, q, path)
            assert answer.status in (200, 400, 414, 431), (q, answer.status, answer.body)
    for raw in ("%FF", "%C3", "%", "%00%00a", "%ED%A0%80", "a%00b"):
        assert get(f"{catalogue.api}/search?q={raw}").status in (200, 400)
    assert found(catalogue, "title") == ["A title"]


def test_who_searches_too_much_at_once_waits(lab):
    catalogue = start(lab, "limits:\n  searches: {burst: 2, refill: 1h}\n", clock=True)
    assert [quota(search(catalogue, "x"))[2] for _ in range(2)] == [1, 0]
    refused = search(catalogue, "x")
    assert refused.status == 429 and slug(refused) == "too-many-requests"
    assert search(catalogue, "x", "search/suggest").status == 429
    catalogue.origin.clock.forward(3600)
    assert search(catalogue, "x").status == 200
    assert catalogue.origin.metric("origin_search_limited_total") == 2


def test_behind_a_trusted_proxy_each_client_has_an_own_limit(lab):
    limit = "limits:\n  searches: {burst: 1, refill: 1h}\n"
    for trusted, second in (("trusted: [127.0.0.0/8]\n", 200), ("", 429)):
        catalogue = start(lab, limit + trusted)
        ask = f"{catalogue.api}/search?q=x"
        first, other = ([("X-Forwarded-For", f"192.0.2.{n}")] for n in (1, 2))
        assert get(ask, "GET", first).status == 200
        assert get(ask, "GET", other).status == second
        assert get(ask, "GET", first).status == 429
