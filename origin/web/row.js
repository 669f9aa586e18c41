// One video in the studio's list: how far it is, and what its creator can do with it.
import { follow } from "./progress.js";
import { openSettings } from "./settings.js";

const at = (name) => document.getElementById(name);
const WORDS = { uploading: "Not uploaded.", queued: "Waits to be prepared", processing: "Is being prepared", failed: "Failed" };
const BADGES = { unlisted: "Who has the link", private: "Private" };

function sentence({ status, stage, progress, reason }) {
    if (status === "ready") return stage === "early" ? `Ready in its smallest size; the rest is being made: ${progress} %` : "Ready.";
    if (status === "uploading") return WORDS.uploading;
    if (status === "failed") return `${WORDS.failed}: ${reason ?? "no reason was given"}`;
    return `${WORDS[status]}: ${progress} %`;
}

export class Row {
    // `room`: {session, uploads, isAdmin, drop(row)}, what all rows share.
    constructor(room, video) {
        Object.assign(this, { room, video, id: video.id, title: video.title || "Untitled" });
        this.element = at("row").content.cloneNode(true).firstElementChild;
        this.element.dataset.video = this.id;
        this.part("title").textContent = this.title;
        this.part("progress").setAttribute("aria-label", `How far “${this.title}” is`);
        for (const name of ["pause", "again", "choose", "manage", "remove"]) {
            this.part(name).addEventListener("click", this.act(() => this[name]()));
            this.name(name);
        }
        this.badge();
    }

    part(name) { return this.element.querySelector(name === "progress" ? "progress" : `.${name}`); }

    get path() { return `videos/${this.id}`; }

    // Buttons of many rows say the same: who does not see where they stand hears of which video they are.
    name(part) {
        this.part(part).setAttribute("aria-label", `${this.part(part).textContent}: ${this.title}`);
    }

    say(text, isBad = false) {
        this.part("words").textContent = text;
        this.part("words").classList.toggle("bad", isBad);
        this.part("words").hidden = text === "";
    }

    // Runs what was asked for; what it returns, or what goes wrong, is told in words.
    act(work) {
        return async (event) => {
            event.preventDefault();
            this.say("");
            try {
                this.say(await work(event) ?? "");
            } catch (error) {
                this.say(error.message, true);
            }
        };
    }

    badge() {
        const text = BADGES[this.video.privacy];
        this.part("badge").textContent = text ?? "";
        this.part("badge").hidden = !text;
    }

    // `share` of 100, or null where there is nothing to wait for. `may`: the buttons that make sense now.
    show(words, share, { isBad = false, may = [] } = {}) {
        this.part("state").textContent = words;
        this.part("state").classList.toggle("bad", isBad);
        this.part("progress").hidden = share === null;
        this.part("progress").value = share ?? 0;
        for (const name of ["pause", "again", "choose"]) this.part(name).hidden = !may.includes(name);
    }

    told(state) {
        const { status, stage } = state;
        const isUnderWay = status === "queued" || status === "processing" || stage === "early";
        const may = status === "uploading" ? ["choose"] : status === "failed" && this.room.isAdmin ? ["again"] : [];
        this.show(sentence(state), isUnderWay ? state.progress : null, { isBad: status === "failed", may });
        this.video.status = status;
        if (status === "ready") {
            this.part("title").href = `/watch/${this.id}`;
            this.element.classList.add("ready");
        }
        if (state.poster_url) {
            this.part("poster").src = state.poster_url;
            this.part("poster").hidden = false;
        }
    }

    // Hears how far it is until all is made or it has failed.
    async follow() {
        this.away?.abort();
        this.away = new AbortController();
        await follow(this.room.session, this.path, (state) => {
            if (state === null) {
                this.room.drop(this);
                return true;
            }
            this.told(state);
            return state.status === "failed" || (state.status === "ready" && state.stage === "full");
        }, { signal: this.away.signal, lost: (isLost) => isLost && this.lost() }).catch((error) => this.say(error.message, true));
        if (this.video.status !== "ready" && this.video.status !== "failed") return;
        this.room.announce(`${this.title}: ${this.part("state").textContent}`);
        if (this.video.status === "ready") this.told(await this.room.session.ask("GET", this.path).catch(() => ({ status: "ready" })));
    }

    lost() {
        this.part("state").textContent = "The server cannot be reached. It goes on by itself when the connection is back.";
    }

    /* ---- the upload ---- */

    upload(file, begun) {
        this.room.uploads.add(this.id, file, begun);
        this.sent(0);
    }

    sent(share) {
        this.show(`Uploading: ${share} %`, share, { may: ["pause"] });
    }

    stopped(error) {
        this.show(`The upload stopped: ${error.message}`, null, { isBad: true, may: ["again"] });
        this.say("");
    }

    pause() {
        this.part("pause").textContent = this.room.uploads.pause(this.id) ? "Go on" : "Pause";
        this.name("pause");
    }

    // A failed video can be made anew by an admin; an upload that has stopped, by everybody.
    async again() {
        if (this.video.status !== "failed") {
            this.room.uploads.again(this.id);
            return;
        }
        await this.room.session.ask("POST", `admin/${this.path}/remake`);
        this.follow();
    }

    // The page was closed over an upload: the parts that are there are not sent again.
    async choose() {
        const input = Object.assign(document.createElement("input"), { type: "file" });
        const chosen = new Promise((resolve) => input.addEventListener("change", () => resolve(input.files[0])));
        this.chooser = input; // borrowed by who looks from outside
        input.click();
        const file = await chosen;
        if (file.size !== this.video.size) {
            throw new Error(`This is another file: the upload was begun with ${this.video.filename}, of ${this.video.size} bytes.`);
        }
        const begun = await this.room.session.ask("POST", `${this.path}/upload/parts`, {})
            .catch((error) => { if (error.status !== 404) throw error; });
        this.upload(file, begun?.upload_id && { uploadId: begun.upload_id, key: begun.key });
    }

    /* ---- settings, and the end ---- */

    async manage() {
        const box = this.part("settings");
        box.hidden = !box.hidden;
        this.part("manage").setAttribute("aria-expanded", String(!box.hidden));
        if (box.hidden) {
            box.replaceChildren();
            return;
        }
        const { session } = this.room;
        this.video = { ...this.video, ...await session.ask("GET", this.path) };
        await openSettings({ box, session, video: this.video, act: (work) => this.act(work),
            changed: (video) => {
                this.video = { ...this.video, ...video };
                this.badge();
            } });
    }

    remove() {
        at("sure-title").textContent = `“${this.title}”`;
        at("sure-form").onsubmit = ({ submitter }) => {
            if (submitter.value === "yes") this.act(() => this.removeNow())(new Event("sure"));
        };
        at("sure").showModal();
    }

    async removeNow() {
        this.room.uploads.cancel(this.id);
        await this.room.session.ask("DELETE", this.path);
        this.room.drop(this);
        this.room.announce(`${this.title} is deleted.`);
        at("mine-heading").focus();
    }

    end() {
        this.away?.abort();
        this.element.remove();
    }
}
