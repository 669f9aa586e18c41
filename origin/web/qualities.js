// The menu of qualities, and the one that shows.
import Hls from "./hls.js";

const at = (name) => document.getElementById(name);
const shortSide = (level) => Math.min(level.width, level.height) || level.height;
const levelName = (level) => `${shortSide(level)}p`;

function fill(hls) {
    const byQuality = hls.levels.map((level, index) => ({ level, index }))
        .sort((a, b) => b.level.bitrate - a.level.bitrate);
    at("quality").replaceChildren(new Option("Auto", "-1"), ...byQuality.map(({ level, index }) =>
        new Option(`${levelName(level)} · ${(level.bitrate / 1e6).toFixed(1)} Mbit/s`, String(index))));
    at("quality").disabled = false;
}

function showPlaying(hls) {
    const level = hls.levels[hls.currentLevel];
    at("playing").textContent = level ? `showing ${levelName(level)}` : "";
}

export function offerQualities(hls) {
    hls.on(Hls.Events.MANIFEST_PARSED, () => fill(hls));
    hls.on(Hls.Events.LEVEL_SWITCHED, () => showPlaying(hls));
    at("quality").addEventListener("change", () => { hls.nextLevel = Number(at("quality").value); });
}
