// Server-sent events that come with fetch(): EventSource sends no access token.
const QUIET_MS = 30000; // the server says something each ten seconds: the connection is dead

// The data of each event of a stream of bytes (WHATWG HTML 9.2), as JSON.
export async function* eventsOf(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    let timer;
    try {
        for (;;) {
            timer = setTimeout(() => reader.cancel(), QUIET_MS);
            const { done, value } = await reader.read();
            clearTimeout(timer);
            if (done) return;
            const events = (text + value).split(/\r?\n\r?\n/);
            text = events.pop();
            for (const event of events) {
                const data = event.split(/\r?\n/).filter((line) => line.startsWith("data:"))
                    .map((line) => line.slice("data:".length).replace(/^ /, ""));
                if (data.length > 0) yield JSON.parse(data.join("\n"));
            }
        }
    } finally {
        clearTimeout(timer);
        reader.cancel().catch(() => { /* it has ended already */ });
    }
}
