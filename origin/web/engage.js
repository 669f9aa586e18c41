// What people do on the watch page: like, save, share, follow, comment.
import { Session } from "./session.js";

const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).pop() ?? "");
const path = `videos/${encodeURIComponent(id)}`;
const at = (name) => document.getElementById(name);
export const session = new Session(sessionStorage); // one for the page: a refresh token is good once
let about = null; // the video as the server told of it last
let cursor = null; // of the next page of comments

function say(text, bad = false) {
    at("said").textContent = text;
    at("said").classList.toggle("bad", bad);
}

// Runs what a click asked for; one at a time for each control.
function on(control, event, act) {
    control.addEventListener(event, async (happening) => {
        happening.preventDefault();
        if (control.dataset.busy) return;
        control.dataset.busy = "yes";
        say("");
        try {
            await act(happening);
        } catch (error) {
            say(error.message, true);
        } finally {
            delete control.dataset.busy;
        }
    });
}

const element = (tag, about = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), about);
    made.append(...children);
    return made;
};

// Drawn here and not by randomUUID(), which pages without TLS do not have.
const draw = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

/* ---- the buttons ---- */

function show() {
    const mine = about.mine ?? {};
    const { likes, saves, shares, views, comments } = about.counts;
    const toggle = (name, word, done, isSet, n) => {
        at(name).setAttribute("aria-pressed", String(Boolean(isSet)));
        at(name).textContent = n === undefined ? (isSet ? done : word) : `${isSet ? done : word} · ${n}`;
    };
    toggle("like", "Like", "Liked", mine.liked, likes);
    toggle("save", "Save", "Saved", mine.saved, saves);
    toggle("follow", "Follow", "Following", mine.following);
    at("share").textContent = `Share · ${shares}`;
    at("views").textContent = `${views} ${views === 1 ? "view" : "views"}`;
    at("owner").textContent = about.owner_name ?? "";
    at("comments-heading").textContent = `Comments · ${comments}`;
    at("account").textContent = session.isOpen ? "Log out" : "Log in";
    at("comment-form").hidden = !session.isOpen;
}

// Resolves once there is a session, or not, if the person thinks better of it.
export function wantSession() {
    if (session.isOpen) return Promise.resolve(true);
    at("login").returnValue = "";
    at("login-said").textContent = "";
    at("login").showModal();
    return new Promise((resolve) => {
        at("login").addEventListener("close", () => resolve(session.isOpen), { once: true });
    });
}

async function reload() {
    about = await session.ask("GET", path);
    show();
}

function toggles(name, isSet, where, take) {
    on(at(name), "click", async () => {
        const wasOpen = session.isOpen;
        if (!await wantSession()) return;
        if (!wasOpen) await reload();
        take(await session.ask(isSet() && wasOpen ? "DELETE" : "PUT", where()));
        show();
    });
}

toggles("like", () => about.mine?.liked, () => `${path}/like`, ({ liked, likes }) => {
    about.mine.liked = liked;
    about.counts.likes = likes;
});
toggles("save", () => about.mine?.saved, () => `${path}/save`, ({ saved, saves }) => {
    about.mine.saved = saved;
    about.counts.saves = saves;
});
toggles("follow", () => about.mine?.following, () => `users/${about.owner}/follow`, ({ following }) => {
    about.mine.following = following;
});

// To another program if the browser can, else into the clipboard.
async function passOn() {
    const url = location.href.split("#")[0];
    if (navigator.share) {
        await navigator.share({ title: about.title, url });
        return "other";
    }
    await navigator.clipboard.writeText(url);
    say("The address of this page is in the clipboard.");
    return "link";
}

on(at("share"), "click", async () => {
    let channel;
    try {
        channel = await passOn();
    } catch {
        return; // the person thought better of it, or the browser does not allow it
    }
    if (!session.isOpen) return;
    await session.ask("POST", `${path}/share`, { channel }, { "Idempotency-Key": draw() });
    about.counts.shares++;
    show();
});

/* ---- the account ---- */

session.onChange = () => {
    if (!about) return;
    if (!session.isOpen) about.mine = {}; // nothing of somebody who left stays on the page
    show();
};

on(at("account"), "click", async () => {
    if (session.isOpen) await session.logOut();
    else if (!await wantSession()) return;
    await reload();
    await showComments();
});

on(at("login-form"), "submit", async ({ submitter }) => {
    const { email, password } = Object.fromEntries(new FormData(at("login-form")));
    try {
        await (submitter?.value === "register" ? session.register(email, password) : session.logIn(email, password));
        at("login").close();
    } catch (error) {
        at("login-said").textContent = error.message;
    }
});
at("login-cancel").addEventListener("click", () => at("login").close());

/* ---- comments ---- */

function commentItem(comment) {
    const when = new Date(comment.created_at);
    const head = element("p", { className: "quiet" }, comment.removed ? "Removed" : comment.user_name ?? "Somebody",
        ", ", element("time", { dateTime: comment.created_at, textContent: when.toLocaleString() }));
    const item = element("li", {}, head);
    if (!comment.removed) item.append(element("p", { className: "text", textContent: comment.text }));
    if (comment.parent === null && comment.replies > 0) {
        const button = element("button", { type: "button",
            textContent: comment.replies === 1 ? "Show 1 reply" : `Show ${comment.replies} replies` });
        on(button, "click", async () => {
            const { comments } = await session.ask("GET", `${path}/comments?limit=100&parent=${comment.id}`);
            button.replaceWith(element("ol", { className: "comments" }, ...comments.map(commentItem)));
        });
        item.append(button);
    }
    return item;
}

async function showComments(more = false) {
    const page = await session.ask("GET", `${path}/comments${more ? `?cursor=${cursor}` : ""}`);
    cursor = page.next_cursor;
    if (!more) at("comments").replaceChildren();
    at("comments").append(...page.comments.map(commentItem));
    at("more").hidden = cursor === null;
}

on(at("more"), "click", () => showComments(true));

let key = draw(); // of the comment that is being written: sent twice, it stands there once
on(at("comment-form"), "submit", async () => {
    const made = await session.ask("POST", `${path}/comments`, { text: at("comment").value }, { "Idempotency-Key": key });
    key = draw();
    at("comment").value = "";
    about.counts.comments++;
    show();
    at("comments").prepend(commentItem(made));
});
at("comment").addEventListener("input", () => { key = draw(); });

/* ---- the beginning ---- */

// There is nothing to do with a video before it can be played.
async function begin() {
    if (about) return;
    await reload();
    if (about.status !== "ready") {
        about = null;
        return;
    }
    at("engage").hidden = at("comments-section").hidden = false;
    await showComments();
}

at("video").addEventListener("loadedmetadata", () => begin().catch((error) => say(error.message, true)), { once: true });
