// The watch page: one video, and what is told of it.
import { session, wantSession } from "./engage.js";
import { Player } from "./player.js";
import { follow, untilAnswered } from "./progress.js";

const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).pop() ?? "");
const path = `videos/${encodeURIComponent(id)}`;
const at = (name) => document.getElementById(name);
const video = at("video");

function notice(text, bad = false) {
    const box = at("notice");
    if (box.textContent === text) return; // what is read aloud is read once
    box.textContent = text;
    box.classList.toggle("bad", bad);
    box.hidden = text === "";
}

function lost(isLost) {
    notice(isLost ? "The server cannot be reached. The page goes on by itself when the connection is back." : "");
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

const WORDS = { uploading: () => "This video is still being uploaded.",
    queued: () => "This video waits to be prepared.",
    processing: ({ progress }) => `This video is being prepared: ${progress} %.` };

// Resolves once the video can be played, and tells how far it is until then.
async function waitUntilReady() {
    let last = null;
    await follow(session, path, (state) => {
        last = state;
        notice(WORDS[state?.status]?.(state) ?? "");
        return state === null || state.status === "ready" || state.status === "failed";
    }, { lost: (isLost) => isLost && lost(true) });
    if (last === null) throw new Error("There is no such video.");
    if (last.status === "failed") {
        throw new Error(`This video could not be prepared: ${last.reason ?? "no reason was given"}`);
    }
}

window.playerErrors = []; // what the player met, for whoever looks from outside
try {
    let about = await untilAnswered(() => session.ask("GET", path), lost);
    describe(about);
    if (about.status !== "ready") {
        await waitUntilReady();
        about = await untilAnswered(() => session.ask("GET", path), lost);
    }
    if (about.poster_url) video.poster = about.poster_url;
    await new Player(video, id, session, notice).start();
} catch (error) {
    at("title").textContent = at("title").textContent === "Loading" ? "Not available" : at("title").textContent;
    notice(error.message, true);
    at("perhaps").hidden = error.status !== 404 || session.isOpen;
}
at("enter").addEventListener("click", async () => {
    if (await wantSession()) location.reload();
});
