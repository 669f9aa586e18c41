// The scrub bar below the video: where it is, a place to go to, and a small picture of
// what is there, if the video has a storyboard.
import { loadStoryboard, tileAt } from "./storyboard.js";

const STEP_S = 0.1;
const at = (name) => document.getElementById(name);

export function timeText(time) {
    const whole = Math.max(0, Math.floor(time));
    const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const two = (n) => String(n).padStart(2, "0");
    return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

// Puts the picture of `time` above the bar, at `share` of its width.
function showTile(tiles, time, share) {
    const preview = at("preview");
    const tile = tileAt(tiles, time);
    at("preview-time").textContent = timeText(time);
    const picture = at("preview-picture");
    picture.hidden = !tile;
    if (tile) {
        picture.style.cssText = `width:${tile.width}px;height:${tile.height}px;`
            + `background:url("${encodeURI(decodeURI(tile.url))}") -${tile.x}px -${tile.y}px`;
    }
    preview.hidden = false;
    const half = preview.offsetWidth / 2; // it stays on the page at both ends
    preview.style.left = `clamp(${half}px, ${share * 100}%, calc(100% - ${half}px))`;
}

export function offerScrubbing(video, storyboardUrl) {
    const bar = at("scrub");
    let tiles = [];
    let isHeld = false;

    const follow = () => {
        if (!isHeld && video.duration > 0) bar.value = String(video.currentTime);
        bar.setAttribute("aria-valuetext", `${timeText(Number(bar.value))} of ${timeText(video.duration || 0)}`);
    };
    const begin = () => {
        if (!Number.isFinite(video.duration)) return;
        bar.max = String(video.duration);
        bar.step = String(STEP_S);
        bar.closest("div").hidden = false;
        follow();
    };
    const point = (event) => {
        const box = bar.getBoundingClientRect();
        const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
        showTile(tiles, share * Number(bar.max), share);
    };
    const hide = () => { at("preview").hidden = true; };

    video.addEventListener("durationchange", begin);
    video.addEventListener("timeupdate", follow);
    bar.addEventListener("input", () => {
        isHeld = true;
        showTile(tiles, Number(bar.value), Number(bar.value) / Number(bar.max));
    });
    bar.addEventListener("change", () => {
        isHeld = false;
        video.currentTime = Number(bar.value);
    });
    bar.addEventListener("pointermove", point);
    bar.addEventListener("pointerleave", hide);
    bar.addEventListener("blur", hide);
    begin();
    if (!storyboardUrl) return;
    loadStoryboard(storyboardUrl).then((loaded) => { tiles = loaded; }, () => { /* without pictures, then */ });
}
