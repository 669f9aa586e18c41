// Cache-Status (RFC 9211) in the words of the watch page.

// Splits at `mark` outside quoted strings.
function split(text, mark) {
    const parts = [""];
    let quoted = false;
    for (let i = 0; i < text.length; i++) {
        const c = text[i];
        if (quoted && c === "\\" && i + 1 < text.length) {
            parts[parts.length - 1] += c + text[++i];
            continue;
        }
        if (c === '"') quoted = !quoted;
        if (c === mark && !quoted) parts.push("");
        else parts[parts.length - 1] += c;
    }
    return parts.map((part) => part.trim()).filter((part) => part !== "");
}

function bare(item) {
    return item.startsWith('"') ? item.slice(1, -1).replace(/\\(.)/g, "$1") : item;
}

const REASONS = {
    "uri-miss": "not held",
    "vary-miss": "not held in this variant",
    miss: "not held",
    partial: "held in part",
    stale: "too old, asked again",
    request: "the request asked to go on",
    method: "not a method to cache",
    bypass: "passed through",
};

// Returns one {node, hit, words} for each tier, the tier nearest the player
// first: each cache appends itself, so the list is read from its end.
export function parseCacheStatus(header) {
    return split(header ?? "", ",").map((member) => {
        const [name, ...parameters] = split(member, ";");
        const values = new Map(parameters.map((parameter) => {
            const at = parameter.indexOf("=");
            return at < 0 ? [parameter, true]
                : [parameter.slice(0, at), bare(parameter.slice(at + 1))];
        }));
        const hit = values.get("hit") === true;
        const words = [hit ? "hit" : `miss: ${REASONS[values.get("fwd")] ?? values.get("fwd") ?? "no reason given"}`];
        if (values.get("collapsed") === true) words.push("joined a running fetch");
        if (values.has("ttl")) words.push(`fresh for ${duration(Number(values.get("ttl")))}`);
        if (values.has("detail")) words.push(String(values.get("detail")));
        return { node: bare(name), hit, words: words.join(", ") };
    }).reverse();
}

export function duration(seconds) {
    const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
    const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) ?? units[3];
    const n = Math.trunc(seconds / size);
    return `${n} ${unit}${Math.abs(n) === 1 ? "" : "s"}`;
}

export function bytes(n) {
    if (n < 1000) return `${n} bytes`;
    const power = Math.min(3, Math.floor(Math.log10(n) / 3));
    return `${(n / 1000 ** power).toFixed(1)} ${["", "kB", "MB", "GB"][power]}`;
}
