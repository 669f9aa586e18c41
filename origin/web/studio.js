// The studio: a creator uploads, sees how far each video is, sets what is to be set, and takes away what should go.
import { Row } from "./row.js";
import { Session } from "./session.js";
import { untilAnswered } from "./progress.js";
import { addText, offerLanguages, textFields } from "./subtitles.js";
import { Uploads } from "./uploads.js";

const at = (name) => document.getElementById(name);
const session = new Session(sessionStorage);
const rows = new Map(); // of videos: id → Row

function say(text, bad = false) {
    at("said").textContent = text;
    at("said").classList.toggle("bad", bad);
    at("said").hidden = text === "";
}

// Runs what somebody asked for; what goes wrong is told in words.
const act = (work) => async (event) => {
    event.preventDefault();
    say("");
    try {
        await work(event);
    } catch (error) {
        say(error.message, true);
    }
};

const uploads = new Uploads({
    sign: (request) => session.ask("POST", "uploads/sign", request),
    progress: (id, share) => rows.get(id)?.sent(share),
    lost: (id) => rows.get(id)?.lost(),
    failed: (id, error) => rows.get(id)?.stopped(error),
    done: async (id) => {
        await untilAnswered(() => session.ask("POST", `videos/${id}/complete`, {}), (isLost) => isLost && rows.get(id)?.lost());
        rows.get(id)?.follow();
    },
});

const room = {
    session, uploads, isAdmin: false, announce: (text) => say(text),
    drop(row) {
        row.end();
        rows.delete(row.id);
        at("none").hidden = rows.size > 0;
    },
};

/* ---- the list ---- */

function enter(video) {
    const row = new Row(room, video);
    rows.set(video.id, row);
    at("mine").prepend(row.element);
    at("none").hidden = true;
    return row;
}

async function list() {
    for (const row of [...rows.values()]) room.drop(row);
    room.isAdmin = (await session.ask("GET", "me")).is_admin;
    const { videos } = await session.ask("GET", "videos?owner=me&limit=100");
    for (const video of videos.reverse()) {
        const row = enter(video);
        row.told(video);
        const isUnderWay = video.status === "queued" || video.status === "processing" || video.stage === "early";
        if (isUnderWay) row.follow();
    }
}

/* ---- a new video ---- */

const texts = new Set(); // of subtitles that are to go with it

function addTextFields() {
    const fields = textFields();
    const item = document.createElement("li");
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Leave it out" });
    button.addEventListener("click", () => {
        texts.delete(fields);
        item.remove();
        at("add-text").focus();
    });
    fields.element.append(button);
    item.append(fields.element);
    texts.add(fields);
    at("new-texts").append(item);
    fields.element.querySelector("input").focus();
}

function clear() {
    at("new").reset();
    at("new-texts").replaceChildren();
    texts.clear();
    chosen();
}

// Subtitles go first, for the upload ends by itself; what is wrong with them is told before anything was sent.
at("new").addEventListener("submit", act(async () => {
    const [file] = at("file").files;
    const about = { title: at("name").value, description: at("about").value, privacy: at("privacy").value,
        filename: file.name, size: file.size };
    at("send").disabled = true;
    try {
        const made = await session.ask("POST", "videos", { ...about, upload: "sign" });
        try {
            for (const text of texts) if (text.value()) await addText(session, made.id, text.value());
        } catch (error) {
            await session.ask("DELETE", `videos/${made.id}`);
            throw error;
        }
        enter({ ...about, id: made.id, status: made.status }).upload(file);
        clear();
    } finally {
        at("send").disabled = false;
    }
}));
at("add-text").addEventListener("click", addTextFields);
offerLanguages();

function chosen() {
    const [file] = at("file").files;
    at("chosen").textContent = file ? `${file.name}, ${(file.size / 1e6).toFixed(1)} MB` : "Choose a file, or drop one here";
    if (file && !at("name").value) at("name").value = file.name.replace(/\.[^.]*$/, "");
}

at("file").addEventListener("change", chosen);
for (const [event, isOver] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    at("drop").addEventListener(event, (happening) => {
        happening.preventDefault();
        at("drop").classList.toggle("over", isOver);
        if (event === "drop" && happening.dataTransfer.files.length > 0) {
            at("file").files = happening.dataTransfer.files;
            chosen();
        }
    });
}

/* ---- who it is ---- */

function show() {
    at("enter").hidden = session.isOpen;
    at("room").hidden = at("leave").hidden = !session.isOpen;
}

session.onChange = show;
at("enter").addEventListener("submit", act(async ({ submitter }) => {
    const { email, password } = Object.fromEntries(new FormData(at("enter")));
    await (submitter?.value === "register" ? session.register(email, password) : session.logIn(email, password));
    await list();
    at("file").focus();
}));
at("leave").addEventListener("click", act(async () => {
    uploads.cancelAll();
    for (const row of [...rows.values()]) room.drop(row);
    await session.logOut();
    at("email").focus();
}));
window.addEventListener("beforeunload", (event) => {
    if (uploads.areUnderWay) event.preventDefault();
});

show();
if (session.isOpen) act(() => untilAnswered(list, (isLost) => say(isLost ? "The server cannot be reached." : "", isLost)))(new Event("begin"));
