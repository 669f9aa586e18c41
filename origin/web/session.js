// Who is logged in, and requests in his name. The session lives as long as the tab does.
import { eventsOf } from "./events.js";

const KEY = "forebay-session";
const EARLY_MS = 5000; // a token that is about to expire is not worth sending

// Whether `url` is that of `path` where the page at `here` is from: who is logged in is told to nobody else.
export function isOwn(url, path, here) {
    const { origin, pathname } = new URL(url, here);
    return origin === new URL(here).origin && pathname === path;
}

// A sentence for people. `status` is the answer's, 0 where there was none.
export class Refusal extends Error {
    constructor(status, detail) {
        super(detail ?? (status === 0 ? "The server cannot be reached." : `The server answered ${status}.`));
        this.status = status;
    }

    // Whether the same request may be answered otherwise a little later.
    get mayPass() { return this.status === 0 || this.status >= 500; }
}

export class Session {
    // `storage` as sessionStorage; `fetch` and `now` for tests.
    constructor(storage, fetch = globalThis.fetch.bind(globalThis), now = Date.now) {
        Object.assign(this, { storage, fetch, now, refreshing: null, onChange: () => {} });
        this.tokens = JSON.parse(storage.getItem(KEY) ?? "null");
    }

    get isOpen() { return this.tokens !== null; }

    keep(answer) {
        this.tokens = answer && { access: answer.access_token, refresh: answer.refresh_token,
            expires: this.now() + answer.expires_in * 1000 };
        if (this.tokens) this.storage.setItem(KEY, JSON.stringify(this.tokens));
        else this.storage.removeItem(KEY);
        this.onChange();
    }

    async send(method, path, { token, value, headers = {}, ...more } = {}) {
        const isFile = value instanceof Blob;
        try {
            return await this.fetch(`/api/v1/${path}`, {
                method,
                headers: { Accept: "application/json", ...headers,
                    ...(token && { Authorization: `Bearer ${token}` }),
                    ...(value !== undefined && !isFile && { "Content-Type": "application/json" }) },
                body: value === undefined || isFile ? value : JSON.stringify(value),
                ...more,
            });
        } catch (error) {
            if (more.signal?.aborted) throw error;
            throw new Refusal(0);
        }
    }

    // What is in an answer that is as it should be.
    async open(response) {
        const body = await response.json().catch(() => ({}));
        if (!response.ok) throw new Refusal(response.status, body.detail);
        return body;
    }

    // A refresh token is good once, so all who wait share one refresh.
    refresh() {
        this.refreshing ??= (async () => {
            const response = await this.send("POST", "auth/refresh", { value: { refresh_token: this.tokens.refresh } });
            this.keep(response.status === 401 ? null : await this.open(response));
        })().finally(() => { this.refreshing = null; });
        return this.refreshing;
    }

    // The access token, good for a moment at least; null of who is not logged in.
    async token() {
        if (this.tokens && this.tokens.expires - EARLY_MS < this.now()) await this.refresh();
        return this.tokens?.access ?? null;
    }

    async answerOf(method, path, about) {
        const response = await this.send(method, path, { ...about, token: await this.token() });
        if (response.status !== 401 || !this.tokens) return response;
        await this.refresh();
        return this.send(method, path, { ...about, token: this.tokens?.access });
    }

    // The content of the answer; who is not logged in asks as nobody. Throws a Refusal.
    async ask(method, path, value, headers) {
        return this.open(await this.answerOf(method, path, { value, headers }));
    }

    // The data of server-sent events, as they come, until the server or `signal` ends them.
    async *events(path, signal) {
        const response = await this.answerOf("GET", path, { headers: { Accept: "text/event-stream" }, signal });
        if (!response.ok) await this.open(response);
        try {
            yield* eventsOf(response.body);
        } catch (error) {
            throw signal?.aborted ? error : new Refusal(0);
        }
    }

    async logIn(email, password) {
        this.keep(await this.open(await this.send("POST", "auth/login", { value: { email, password } })));
    }

    async register(email, password) {
        await this.open(await this.send("POST", "auth/register", { value: { email, password } }));
        await this.logIn(email, password);
    }

    async logOut() {
        const { refresh } = this.tokens;
        this.keep(null);
        await this.send("POST", "auth/logout", { value: { refresh_token: refresh } });
    }
}
