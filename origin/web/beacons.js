// What the player tells the edge of how the video plays: docs/views.md.
const EVERY_MS = 10000;
const JUMP_S = 2; // what is further was not watched, but sought
const SOURCES = ["feed", "search", "trending", "share", "external", "other"];

// Where the viewer came from: ?from= of the page's own links, else by the page before.
function sourceOf(from, referrer) {
    if (SOURCES.includes(from)) return from;
    try {
        return new URL(referrer).origin === location.origin ? "other" : "external";
    } catch {
        return "other";
    }
}

// All numbers count from the beginning: a beacon that is lost changes nothing.
export function tellOf(video, name, sid) {
    const sums = { watch_ms: 0, stalls: 0, stall_ms: 0 };
    const source = sourceOf(new URLSearchParams(location.search).get("from"), document.referrer);
    let address = null; // where to: the edge that segments come from
    let wished = performance.now(), started = false, stalledAt = null, last = 0, told = 0;

    function send(event, more = {}) {
        if (!address || !started) return;
        told = performance.now();
        const numbers = { watch_ms: Math.round(sums.watch_ms), stalls: sums.stalls,
            stall_ms: Math.round(sums.stall_ms), position_ms: Math.round(video.currentTime * 1000) };
        if (Number.isFinite(video.duration)) numbers.duration_ms = Math.round(video.duration * 1000);
        navigator.sendBeacon?.(address, JSON.stringify({ v: 1, sid, video: name, event, source, ...numbers, ...more }));
    }

    let startup = {};
    video.addEventListener("play", () => { if (!started) wished = performance.now(); });
    video.addEventListener("playing", () => {
        if (stalledAt !== null) {
            sums.stall_ms += performance.now() - stalledAt;
            stalledAt = null;
        }
        if (started) return;
        started = true;
        last = video.currentTime;
        startup = { startup_ms: Math.round(performance.now() - wished) };
        send("start", startup);
    });
    video.addEventListener("waiting", () => {
        if (!started || video.seeking || stalledAt !== null) return;
        stalledAt = performance.now();
        sums.stalls++;
        send("stall");
    });
    video.addEventListener("timeupdate", () => {
        const step = video.currentTime - last;
        last = video.currentTime;
        if (step > 0 && step < JUMP_S) sums.watch_ms += step * 1000 / video.playbackRate;
        if (performance.now() - told > EVERY_MS) send("progress");
    });
    video.addEventListener("ended", () => send("end"));
    document.addEventListener("visibilitychange", () => {
        if (document.visibilityState === "hidden") send("progress");
    });
    return {
        // The edge is known once a segment has come from it.
        aim(segment) {
            const known = address !== null;
            address = new URL("/beacon", segment).href;
            if (!known) send("start", startup);
        },
    };
}
