// Menus of the watch page: languages of the sound, and subtitles. A menu without a
// choice is not shown.
import Hls from "./hls.js";

const at = (name) => document.getElementById(name);

function fill(select, options, chosen) {
    select.replaceChildren(...options.map(([text, value]) => new Option(text, String(value))));
    select.value = String(chosen);
    select.closest("p").hidden = options.length < 2;
}

const nameOf = (track) => track.name || track.lang || "?";

export function offerTracks(hls) {
    const sound = at("sound"), text = at("text");
    hls.subtitleDisplay = true;
    hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, () =>
        fill(sound, hls.audioTracks.map((track, index) => [nameOf(track), index]), hls.audioTrack));
    hls.on(Hls.Events.AUDIO_TRACK_SWITCHED, () => { sound.value = String(hls.audioTrack); });
    hls.on(Hls.Events.SUBTITLE_TRACKS_UPDATED, () =>
        fill(text, [["Off", -1], ...hls.subtitleTracks.map((track, index) => [nameOf(track), index])], hls.subtitleTrack));
    hls.on(Hls.Events.SUBTITLE_TRACK_SWITCH, () => { text.value = String(hls.subtitleTrack); });
    sound.addEventListener("change", () => { hls.audioTrack = Number(sound.value); });
    text.addEventListener("change", () => { hls.subtitleTrack = Number(text.value); });
}
