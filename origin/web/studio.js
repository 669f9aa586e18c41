// The studio: a creator uploads, sees how far each video is, and takes away what should go.
import { Session } from "./session.js";
import { Uploads } from "./uploads.js";

const at = (name) => document.getElementById(name);
const session = new Session(sessionStorage);
const POLL_MS = 1000;
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

/* ---- one video ---- */

const WORDS = { uploading: "not uploaded", queued: "waits to be prepared", processing: "is being prepared",
    ready: "ready", failed: "failed" };

class Row {
    constructor(id, title) {
        this.id = id;
        this.element = at("row").content.cloneNode(true).firstElementChild;
        this.element.dataset.video = id;
        this.part("title").textContent = title || "Untitled";
        this.part("remove").addEventListener("click", act(() => this.remove()));
        this.part("pause").addEventListener("click", act(() => this.pause()));
    }

    part(name) { return this.element.querySelector(name === "progress" ? "progress" : `.${name}`); }

    // `share` of 100, or null where there is nothing to wait for.
    show(words, share, bad = false) {
        this.part("state").textContent = words;
        this.part("state").classList.toggle("bad", bad);
        this.part("progress").hidden = share === null;
        this.part("progress").value = share ?? 0;
    }

    told({ status, progress, reason }) {
        const isUnderWay = status === "queued" || status === "processing";
        this.show(isUnderWay ? `${WORDS[status]}: ${progress} %` : reason ? `${WORDS[status]}: ${reason}` : WORDS[status],
            isUnderWay ? progress : null, status === "failed");
        if (status === "ready") this.part("title").href = `/watch/${this.id}`;
    }

    // Hears how far it is until it is ready or failed.
    follow() {
        this.events?.close();
        this.events = new EventSource(`/api/v1/videos/${this.id}/status/stream`);
        this.events.addEventListener("status", ({ data }) => {
            const state = JSON.parse(data);
            if (state === null) { // there is none, or it is private: the stream does not know who asks
                this.events.close();
                this.poll();
                return;
            }
            this.told(state);
            if (state.status === "ready" || state.status === "failed") this.events.close();
        });
    }

    async poll() {
        try {
            for (;;) {
                const state = await session.ask("GET", `videos/${this.id}/status`);
                this.told(state);
                if (state.status === "ready" || state.status === "failed") return;
                await new Promise((resolve) => setTimeout(resolve, POLL_MS));
            }
        } catch {
            this.drop();
        }
    }

    pause() {
        const isPaused = uploads.pause(this.id);
        this.part("pause").textContent = isPaused ? "Go on" : "Pause";
    }

    drop() {
        this.events?.close();
        this.element.remove();
        rows.delete(this.id);
        at("none").hidden = rows.size > 0;
    }

    async remove() {
        uploads.cancel(this.id);
        await session.ask("DELETE", `videos/${this.id}`);
        this.drop();
    }
}

function enter(id, title) {
    const row = new Row(id, title);
    rows.set(id, row);
    at("mine").prepend(row.element);
    at("none").hidden = true;
    return row;
}

async function list() {
    for (const row of [...rows.values()]) row.drop();
    const { videos } = await session.ask("GET", "videos?owner=me&limit=100");
    for (const video of videos.reverse()) {
        const row = enter(video.id, video.title);
        row.told(video);
        if (video.status === "queued" || video.status === "processing") row.follow();
    }
}

/* ---- uploading ---- */

const uploads = new Uploads({
    sign: (request) => session.ask("POST", "uploads/sign", request),
    progress: (id, share) => {
        rows.get(id)?.show(`uploading: ${share} %`, share);
    },
    failed: (id, error) => {
        const row = rows.get(id);
        row?.show(`the upload stopped: ${error.message}`, null, true);
        if (row) row.part("pause").hidden = true;
    },
    done: async (id) => {
        const row = rows.get(id);
        if (row) row.part("pause").hidden = true;
        await session.ask("POST", `videos/${id}/complete`, {});
        row?.follow();
    },
});

at("new").addEventListener("submit", act(async () => {
    const [file] = at("file").files;
    const made = await session.ask("POST", "videos", { title: at("name").value, description: at("about").value,
        privacy: at("privacy").value, filename: file.name, size: file.size, upload: "sign" });
    const row = enter(made.id, at("name").value);
    row.part("pause").hidden = false;
    row.show("uploading: 0 %", 0);
    uploads.add(made.id, file);
    at("new").reset();
    chosen();
}));

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
}));
at("leave").addEventListener("click", act(async () => {
    uploads.cancelAll();
    for (const row of [...rows.values()]) row.drop();
    await session.logOut();
}));
window.addEventListener("beforeunload", (event) => {
    if (uploads.areUnderWay) event.preventDefault();
});

show();
if (session.isOpen) act(list)(new Event("begin"));
