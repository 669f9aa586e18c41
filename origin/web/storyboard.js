// The storyboard: small pictures of the video for the scrub bar, by WebVTT whose texts
// name a rectangle of a sheet: "s/00001.jpg#xywh=160,0,160,90".

const TIMES = /^(?:(\d+):)?(\d\d):(\d\d)\.(\d{3}) --> (?:(\d+):)?(\d\d):(\d\d)\.(\d{3})/;
const PLACE = /^(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$/;

const seconds = (h, m, s, ms) => Number(h ?? 0) * 3600 + Number(m) * 60 + Number(s) + Number(ms) / 1000;

// The tiles in the order of their times; URLs are relative to `base`.
export function parseStoryboard(text, base) {
    const lines = text.split(/\r?\n/);
    const tiles = [];
    for (let i = 0; i + 1 < lines.length; i++) {
        const times = TIMES.exec(lines[i]);
        const place = times && PLACE.exec(lines[i + 1]);
        if (!place) continue;
        const [x, y, width, height] = place.slice(2).map(Number);
        tiles.push({ begin: seconds(...times.slice(1, 5)), end: seconds(...times.slice(5, 9)),
            url: new URL(place[1], base).href, x, y, width, height });
    }
    return tiles;
}

// What is shown at a time; the last one also after the end.
export function tileAt(tiles, time) {
    let low = 0, high = tiles.length;
    while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (tiles[middle].begin <= time) low = middle;
        else high = middle;
    }
    return tiles[low];
}

export async function loadStoryboard(url) {
    const response = await fetch(url);
    return response.ok ? parseStoryboard(await response.text(), response.url) : [];
}
