// What trends, as the origin tells of it: the list is there at once, and changes by itself.
const ITEMS = 10;
const here = decodeURIComponent(location.pathname.split("/").filter(Boolean).pop() ?? "");
const at = (name) => document.getElementById(name);
const ranks = new Map(); // video: where it stood last

function move(video, rank) {
    const before = ranks.get(video.id);
    if (ranks.size === 0 || before === rank) return "";
    return before === undefined ? "new" : before > rank ? "▲" : "▼";
}

function entry({ rank, video }) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    const change = document.createElement("span");
    link.href = `/watch/${encodeURIComponent(video.id)}?from=trending`;
    link.textContent = video.title;
    if (video.id === here) link.setAttribute("aria-current", "page");
    change.className = "change";
    change.textContent = move(video, rank);
    item.dataset.video = video.id;
    item.append(link, " ", change);
    return item;
}

function show(list) {
    const videos = list.videos.slice(0, ITEMS);
    at("trending").replaceChildren(...videos.map(entry));
    at("trending-box").hidden = videos.length === 0;
    ranks.clear();
    for (const { rank, video } of list.videos) ranks.set(video.id, rank);
}

// The browser connects anew when the connection is lost.
function follow() {
    const source = new EventSource("/api/v1/trending/stream");
    source.addEventListener("trending", (event) => show(JSON.parse(event.data)));
    addEventListener("pagehide", () => source.close());
    addEventListener("pageshow", (event) => { if (event.persisted) follow(); });
}

follow();
