// Who is logged in, and requests in his name. The session lives as long as the tab does.
const KEY = "forebay-session";
const EARLY_MS = 5000; // a token that is about to expire is not worth sending

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

    async send(method, path, { token, value, headers = {} } = {}) {
        let response;
        try {
            response = await this.fetch(`/api/v1/${path}`, {
                method,
                headers: { Accept: "application/json", ...headers,
                    ...(token && { Authorization: `Bearer ${token}` }),
                    ...(value !== undefined && { "Content-Type": "application/json" }) },
                body: value === undefined ? undefined : JSON.stringify(value),
            });
        } catch {
            throw new Error("The server cannot be reached.");
        }
        const body = await response.json().catch(() => ({}));
        return { status: response.status, ok: response.ok, body };
    }

    // A refresh token is good once, so all who wait share one refresh.
    refresh() {
        this.refreshing ??= (async () => {
            const { ok, status, body } = await this.send("POST", "auth/refresh",
                { value: { refresh_token: this.tokens.refresh } });
            if (ok) this.keep(body);
            else if (status === 401) this.keep(null);
            else throw new Error(body.detail ?? `The server answered ${status}.`);
        })().finally(() => { this.refreshing = null; });
        return this.refreshing;
    }

    // The content of the answer; who is not logged in asks as nobody. Throws a sentence for people.
    async ask(method, path, value, headers) {
        if (this.tokens && this.tokens.expires - EARLY_MS < this.now()) await this.refresh();
        let answer = await this.send(method, path, { token: this.tokens?.access, value, headers });
        if (answer.status === 401 && this.tokens) {
            await this.refresh();
            answer = await this.send(method, path, { token: this.tokens?.access, value, headers });
        }
        if (!answer.ok) throw new Error(answer.body.detail ?? `The server answered ${answer.status}.`);
        return answer.body;
    }

    async logIn(email, password) {
        const { ok, status, body } = await this.send("POST", "auth/login", { value: { email, password } });
        if (!ok) throw new Error(body.detail ?? `The server answered ${status}.`);
        this.keep(body);
    }

    async register(email, password) {
        const { ok, status, body } = await this.send("POST", "auth/register", { value: { email, password } });
        if (!ok) throw new Error(body.detail ?? `The server answered ${status}.`);
        await this.logIn(email, password);
    }

    async logOut() {
        const { refresh } = this.tokens;
        this.keep(null);
        await this.send("POST", "auth/logout", { value: { refresh_token: refresh } });
    }
}
