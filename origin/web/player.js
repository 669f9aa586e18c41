// The player: hls.js on the page's video, over a network that may go and come back.
import Hls from "./hls.js";
import { tellOf } from "./beacons.js";
import { showDelivery } from "./delivery.js";
import { keysOf, wordsOfKeyError } from "./keys.js";
import { aWhile } from "./progress.js";
import { offerQualities } from "./qualities.js";
import { offerScrubbing } from "./scrub.js";
import { isOwn } from "./session.js";
import { offerTracks } from "./tracks.js";

const RETRY_MS = 500, RETRY_MAX_MS = 2000;
const MOVED_S = 1;

// Whether nobody answered, or somebody who cannot at the moment.
const isAway = (status) => !status || status >= 500 || status === 429;

// The session's id, for CMCD and beacons. randomUUID() is there in secure contexts alone.
function newSid() {
    const words = crypto.getRandomValues(new Uint32Array(4));
    return [...words].map((word) => word.toString(16).padStart(8, "0")).join("");
}

// How long hls.js goes on with one request: for ever while the network is away, which `lost` hears.
function policies(lost) {
    const shouldRetry = (_, count, isTimeout, answer) => {
        const isNews = isTimeout || isAway(answer?.code); // what a server refuses, it refuses again
        if (isNews) lost();
        return isNews;
    };
    const retry = { maxNumRetry: Infinity, retryDelayMs: RETRY_MS, maxRetryDelayMs: RETRY_MAX_MS, shouldRetry };
    const policy = (maxTimeToFirstByteMs, maxLoadTimeMs) => ({ default: {
        maxTimeToFirstByteMs, maxLoadTimeMs, timeoutRetry: retry, errorRetry: retry } });
    return { manifestLoadPolicy: policy(10000, 20000), playlistLoadPolicy: policy(10000, 20000),
        fragLoadPolicy: policy(10000, 120000) };
}

export class Player {
    // `say(words, isBad)` is for what people should know; "" takes it back.
    constructor(video, id, session, say) {
        Object.assign(this, { video, id, session, say, sid: newSid(), isLost: false, anewAt: null, isBeginning: false, isMended: false });
        this.manifest = `/api/v1/videos/${encodeURIComponent(id)}/manifest`;
    }

    async start() {
        if (Hls.isSupported()) this.startHls();
        else if (this.video.canPlayType("application/vnd.apple.mpegurl")) await this.startNative();
        else throw new Error("This browser can play neither HLS nor Media Source Extensions.");
    }

    // Browsers send no token themselves: the way is asked for here, and leads to a URL with a pass.
    async startNative() {
        const response = await this.session.answerOf("GET", `videos/${encodeURIComponent(this.id)}/manifest`);
        if (!response.ok) await this.session.open(response);
        this.video.addEventListener("error", () => this.say("The video could not be played.", true));
        this.video.src = response.url;
    }

    startHls() {
        const { Events } = Hls;
        const teller = tellOf(this.video, this.id, this.sid);
        const hls = this.hls = new Hls({ capLevelToPlayerSize: false, cmcd: { sessionId: this.sid, contentId: this.id },
            xhrSetup: (request, url) => this.authorise(request, url),
            ...policies(() => this.lose()), ...keysOf(this.session, () => this.media) });
        hls.on(Events.MANIFEST_LOADED, (_, { url, sessionData }) => {
            const isFirst = !this.media;
            this.media = url;
            this.find();
            const storyboard = sessionData?.["forebay.storyboard"]?.VALUE;
            if (isFirst) offerScrubbing(this.video, storyboard ? new URL(storyboard, url).href : null);
        });
        offerQualities(hls);
        offerTracks(hls);
        hls.on(Events.LEVEL_LOADED, () => this.find());
        hls.on(Events.FRAG_LOADED, (_, { frag, networkDetails, part }) => {
            this.find();
            teller.aim(networkDetails?.responseURL || frag.url);
            if (frag.sn !== "initSegment") showDelivery(frag, (part ?? frag).stats, networkDetails);
        });
        hls.on(Events.ERROR, (_, data) => this.onError(data));
        this.load();
        hls.attachMedia(this.video);
    }

    // hls.js tells its session with all but the first playlist.
    load() {
        const cmcd = `cid="${this.id}",ot=m,sf=h,sid="${this.sid}"`;
        this.hls.loadSource(`${this.manifest}?CMCD=${encodeURIComponent(cmcd)}`);
    }

    // The way to a private video is told to its owner; the media's URL bears a pass from there on.
    async authorise(request, url) {
        if (!isOwn(url, this.manifest, location)) return;
        const token = await this.session.token();
        request.open("GET", url);
        if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
    }

    lose() {
        this.isLost = true;
        this.say("The server cannot be reached. The video goes on by itself when the connection is back.");
    }

    find() {
        if (this.isLost) this.say("");
        this.isLost = false;
    }

    // Whether it has played since it last began anew because something was refused.
    hasMoved() {
        return this.anewAt === null || Math.abs(this.video.currentTime - this.anewAt) > MOVED_S;
    }

    // Everything from the way to the media on, and then on from where it was.
    async beginAnew() {
        if (this.isBeginning) return;
        this.isBeginning = true;
        const isPlaying = !this.video.paused;
        this.hls.stopLoad();
        await aWhile();
        this.isBeginning = false;
        this.hls.config.startPosition = this.video.currentTime;
        const go = () => this.video.play().catch(() => { /* the browser wants a click first */ });
        if (isPlaying) this.video.addEventListener("loadeddata", go, { once: true });
        this.load();
    }

    // Recovers from what can be recovered; the rest is told in words.
    onError(data) {
        window.playerErrors.push(`${data.type}: ${data.details}${data.fatal ? " (fatal)" : ""}`);
        const { NETWORK_ERROR, MEDIA_ERROR, KEY_SYSTEM_ERROR } = Hls.ErrorTypes;
        const status = data.response?.code;
        // hls.js asks for ever for what is refused too, where it asks for ever at all.
        const isRefused = data.type === NETWORK_ERROR && status >= 400 && !isAway(status) && data.frag?.type !== "subtitle";
        if (!data.fatal && !isRefused) return;
        const isLicence = data.details === Hls.ErrorDetails.KEY_SYSTEM_LICENSE_REQUEST_FAILED;
        if ((data.type === NETWORK_ERROR || isLicence) && isAway(status)) {
            this.lose();
            this.beginAnew();
        } else if (data.type === NETWORK_ERROR && this.media && this.hasMoved()) {
            this.anewAt = this.video.currentTime;
            this.beginAnew(); // a pass expires, and media moves when a video is made anew
        } else if (data.type === MEDIA_ERROR && !this.isMended) {
            this.isMended = true;
            this.hls.recoverMediaError();
        } else {
            this.hls.destroy();
            this.say(data.type === KEY_SYSTEM_ERROR ? wordsOfKeyError(data)
                : data.type === NETWORK_ERROR ? wordsOfAnswer(data)
                    : "This browser could not decode the video.", true);
        }
    }
}

function wordsOfAnswer({ networkDetails, response }) {
    let detail;
    try {
        ({ detail } = JSON.parse(networkDetails.responseText));
    } catch { /* no problem details: the answer of somebody in between */ }
    const said = detail ?? (response?.code ? `The server answered ${response.code}.` : "");
    return `The video could not be loaded. ${said}`.trim();
}
