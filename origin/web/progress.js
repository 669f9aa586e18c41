// How far a video is, until it is ready or failed, whatever becomes of the network meanwhile.
const AGAIN_MS = 1000;
const STREAMS_MAX = 3; // browsers have six connections to a server of HTTP/1.1: the rest are for all else
let nStreams = 0;

// Resolves after a while, and at once where the network comes back.
export function aWhile(ms = AGAIN_MS) {
    return new Promise((resolve) => {
        const end = () => {
            removeEventListener("online", end);
            clearTimeout(timer);
            resolve();
        };
        const timer = setTimeout(end, ms);
        addEventListener("online", end);
    });
}

// What `work` gives; asks again while the server is away, and says so by `lost(true)`.
export async function untilAnswered(work, lost = () => {}) {
    for (;;) {
        try {
            const answer = await work();
            lost(false);
            return answer;
        } catch (error) {
            if (!error.mayPass) throw error;
            lost(true);
            await aWhile();
        }
    }
}

async function* statesOf(session, path, signal) {
    if (nStreams >= STREAMS_MAX) {
        yield await session.ask("GET", `${path}/status`);
        return;
    }
    nStreams++;
    try {
        yield* session.events(`${path}/status/stream`, signal);
    } finally {
        nStreams--;
    }
}

// Tells each state of the video, null: it is gone; until `told` returns true, or `signal` comes.
export async function follow(session, path, told, { signal, lost = () => {} } = {}) {
    for (;;) {
        try {
            for await (const state of statesOf(session, path, signal)) {
                lost(false);
                if (told(state)) return;
            }
        } catch (error) {
            if (signal?.aborted) return;
            if (error.status === 404) {
                told(null);
                return;
            }
            if (!error.mayPass) throw error;
            lost(true);
        }
        await aWhile();
        if (signal?.aborted) return;
    }
}
