// Which tier answered, and how fast: the table below the video.
import { bytes, duration, parseCacheStatus } from "./cache_status.js";

const at = (name) => document.getElementById(name);
const tallies = new Map(); // node: {hits, misses}

function tierRow(node, said, tally) {
    const row = document.createElement("tr");
    const cell = (text, kind = "", tag = "td") => {
        row.append(Object.assign(document.createElement(tag), { textContent: text, className: kind }));
    };
    cell(node, "", "th");
    row.firstChild.scope = "row";
    cell(said?.words ?? "not asked", said ? (said.hit ? "hit" : "miss") : "");
    cell(tally.hits, "number");
    cell(tally.misses, "number");
    return row;
}

export function showDelivery(frag, stats, request) {
    const header = request?.getResponseHeader?.("Cache-Status") ?? "";
    const tiers = parseCacheStatus(header);
    const kind = { main: "video", audio: "sound" }[frag.type] ?? frag.type;
    at("segment").textContent = `${kind} ${frag.url.split("/").slice(-2).join("/").split("?")[0]}`;
    const cache = tiers.find((tier) => tier.hit)?.node;
    const age = Number(request?.getResponseHeader?.("Age") ?? 0);
    at("answered").textContent = cache ? `${cache}, held for ${duration(age)}` : "the origin";
    const ms = stats.loading.end - stats.loading.start;
    at("cost").textContent = `${bytes(stats.total)} in ${Math.max(1, Math.round(ms))} ms`;
    at("cache-status").textContent = header;
    for (const tier of tiers) {
        const tally = tallies.get(tier.node) ?? { hits: 0, misses: 0 };
        tally[tier.hit ? "hits" : "misses"]++;
        tallies.set(tier.node, tally);
    }
    at("tiers").replaceChildren(...[...tallies].map(([node, tally]) =>
        tierRow(node, tiers.find((tier) => tier.node === node), tally)));
    at("delivery").hidden = false;
    at("delivery-none").hidden = true;
}
