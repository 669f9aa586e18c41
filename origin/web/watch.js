// The watch page: one video, its qualities, and which tier answered.
import Hls from "./hls.js";
import { tellOf } from "./beacons.js";
import { bytes, duration, parseCacheStatus } from "./cache_status.js";
import { session } from "./engage.js";
import { offerScrubbing } from "./scrub.js";
import { offerTracks } from "./tracks.js";

const POLL_MS = 1000;
const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).pop() ?? "");
const path = `videos/${encodeURIComponent(id)}`;
const api = `/api/v1/${path}`;
const at = (name) => document.getElementById(name);
const video = at("video");

function notice(text, bad = false) {
    const box = at("notice");
    box.textContent = text;
    box.classList.toggle("bad", bad);
    box.hidden = text === "";
}

function describe(about) {
    const title = about.title || "Untitled";
    document.title = `${title} – Forebay`;
    at("title").textContent = title;
    at("description").textContent = about.description ?? "";
    const tags = about.tags ?? [];
    at("tags").replaceChildren(...tags.map((tag) => Object.assign(document.createElement("li"), { textContent: tag })));
    at("tags").hidden = tags.length === 0;
}

// Resolves once the video can be played, and tells how far it is until then.
async function waitUntilReady() {
    for (;;) {
        const { status, progress, reason } = await session.ask("GET", `${path}/status`);
        if (status === "ready") return notice("");
        if (status === "failed") throw new Error(`This video could not be prepared: ${reason ?? "no reason was given"}`);
        notice(status === "uploading" ? "This video is still being uploaded."
            : `This video is being prepared: ${Math.round(progress ?? 0)} %.`);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
}

const shortSide = (level) => Math.min(level.width, level.height) || level.height;
const levelName = (level) => `${shortSide(level)}p`;

function offerQualities(hls) {
    const select = at("quality");
    const byQuality = hls.levels.map((level, index) => ({ level, index }))
        .sort((a, b) => b.level.bitrate - a.level.bitrate);
    select.replaceChildren(new Option("Auto", "-1"), ...byQuality.map(({ level, index }) =>
        new Option(`${levelName(level)} · ${(level.bitrate / 1e6).toFixed(1)} Mbit/s`, String(index))));
    select.disabled = false;
    select.addEventListener("change", () => { hls.nextLevel = Number(select.value); });
}

function showPlaying(hls) {
    const level = hls.levels[hls.currentLevel];
    at("playing").textContent = level ? `showing ${levelName(level)}` : "";
}

const tallies = new Map(); // node: {hits, misses}

function showDelivery(frag, stats, request) {
    const header = request?.getResponseHeader?.("Cache-Status") ?? "";
    const tiers = parseCacheStatus(header);
    const kind = { main: "video", audio: "sound" }[frag.type] ?? frag.type;
    at("segment").textContent = `${kind} ${frag.url.split("/").slice(-2).join("/").split("?")[0]}`;
    const cache = tiers.find((tier) => tier.hit)?.node;
    const age = Number(request?.getResponseHeader?.("Age") ?? 0);
    at("answered").textContent = cache ? `${cache}, held for ${duration(age)}` : "the origin";
    const ms = stats.loading.end - stats.loading.start;
    at("cost").textContent = `${bytes(stats.total)} in ${Math.max(1, Math.round(ms))} ms`;
    at("cache-status").textContent = header;
    for (const tier of tiers) {
        const tally = tallies.get(tier.node) ?? { hits: 0, misses: 0 };
        tally[tier.hit ? "hits" : "misses"]++;
        tallies.set(tier.node, tally);
    }
    at("tiers").replaceChildren(...[...tallies].map(([node, tally]) =>
        tierRow(node, tiers.find((tier) => tier.node === node), tally)));
    at("delivery").hidden = false;
    at("delivery-none").hidden = true;
}

function tierRow(node, said, tally) {
    const row = document.createElement("tr");
    const cell = (text, kind = "", tag = "td") => {
        row.append(Object.assign(document.createElement(tag), { textContent: text, className: kind }));
    };
    cell(node, "", "th");
    row.firstChild.scope = "row";
    cell(said?.words ?? "not asked", said ? (said.hit ? "hit" : "miss") : "");
    cell(tally.hits, "number");
    cell(tally.misses, "number");
    return row;
}

// Recovers from what can be recovered; the rest is told in words.
function onError(hls, data) {
    window.playerErrors.push(`${data.type}: ${data.details}${data.fatal ? " (fatal)" : ""}`);
    if (!data.fatal) return;
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && !hls.recovered) {
        hls.recovered = true;
        hls.recoverMediaError();
        return;
    }
    hls.destroy();
    const status = data.response?.code;
    notice(data.type === Hls.ErrorTypes.NETWORK_ERROR
        ? `The video could not be loaded${status ? ` (the server answered ${status})` : ""}. Load the page again to retry.`
        : "This browser could not decode the video.", true);
}

// The session's id, for CMCD and beacons. randomUUID() is there in secure contexts alone.
function newSid() {
    const words = crypto.getRandomValues(new Uint32Array(4));
    return [...words].map((word) => word.toString(16).padStart(8, "0")).join("");
}

// The way to a private video is told to its owner; the media's URL bears a pass from there on.
function xhrSetup(request, url) {
    if (session.isOpen && new URL(url, location).pathname === `${api}/manifest`) {
        request.setRequestHeader("Authorization", `Bearer ${session.tokens.access}`);
    }
}

function play() {
    const manifest = `${api}/manifest`;
    if (!Hls.isSupported()) {
        if (!video.canPlayType("application/vnd.apple.mpegurl")) {
            throw new Error("This browser can play neither HLS nor Media Source Extensions.");
        }
        video.addEventListener("error", () => notice("The video could not be played.", true));
        video.src = manifest;
        return;
    }
    const sid = newSid();
    const teller = tellOf(video, id, sid);
    const hls = new Hls({ capLevelToPlayerSize: false, cmcd: { sessionId: sid, contentId: id }, xhrSetup });
    hls.once(Hls.Events.MANIFEST_LOADED, (_, { url, sessionData }) => {
        const storyboard = sessionData?.["forebay.storyboard"]?.VALUE;
        offerScrubbing(video, storyboard ? new URL(storyboard, url).href : null);
    });
    hls.on(Hls.Events.MANIFEST_PARSED, () => offerQualities(hls));
    offerTracks(hls);
    hls.on(Hls.Events.LEVEL_SWITCHED, () => showPlaying(hls));
    hls.on(Hls.Events.FRAG_LOADED, (_, { frag, networkDetails, part }) => {
        teller.aim(networkDetails?.responseURL || frag.url);
        if (frag.sn !== "initSegment") showDelivery(frag, (part ?? frag).stats, networkDetails);
    });
    hls.on(Hls.Events.ERROR, (_, data) => onError(hls, data));
    // hls.js tells its session with all but the first playlist.
    hls.loadSource(`${manifest}?CMCD=${encodeURIComponent(`cid="${id}",ot=m,sf=h,sid="${sid}"`)}`);
    hls.attachMedia(video);
}

window.playerErrors = []; // what the player met, for whoever looks from outside
try {
    let about = await session.ask("GET", path);
    describe(about);
    if (about.status !== "ready") {
        await waitUntilReady();
        about = await session.ask("GET", path);
    }
    if (about.poster_url) video.poster = about.poster_url;
    play();
} catch (error) {
    at("title").textContent = at("title").textContent === "Loading" ? "Not available" : at("title").textContent;
    notice(error.message, true);
}
