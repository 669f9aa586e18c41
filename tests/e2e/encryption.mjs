// usage: node encryption.mjs MODULES_DIR PAGE_URL     (cases as JSON on standard input)
//
// Shaka Player in headless Chromium on encrypted videos, with Clear Key: whoever may play one does, with
// keys from the origin, and others get none.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, pageUrl] = process.argv.slice(2);
const cases = JSON.parse(readFileSync(0, "utf8"));
const { chromium } = createRequire(path.join(modules, "index.js"))("playwright-core");
const WAIT = { timeout: 60000, polling: 50 };
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true,
    args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-gpu", "--mute-audio",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"] });

async function play({ name, url, licences, token, plays }) {
    const page = await browser.newPage();
    const query = new URLSearchParams({ url, licences, ...(token ? { token } : {}) });
    await page.goto(`${pageUrl}?${query}`);
    const loaded = await page.evaluate(() => window.ready.then((system) => ({ system }),
        (error) => ({ code: error.code ?? String(error) })));
    if (plays) {
        assert.equal(loaded.system, "org.w3.clearkey", `${name}: ${JSON.stringify(loaded)}`);
        await page.evaluate(() => document.querySelector("video").play());
        try {
            await page.waitForFunction(() => {
                const video = document.querySelector("video");
                return video.currentTime > 1 && video.getVideoPlaybackQuality().totalVideoFrames > 10
                    && video.webkitAudioDecodedByteCount > 0 && video.mediaKeys;
            }, undefined, WAIT);
        } catch {
            throw new Error(`${name} does not play: ${JSON.stringify(await page.evaluate(() => window.playerErrors))}`);
        }
        assert.deepEqual(await page.evaluate(() => window.playerErrors), [], name);
        assert.ok(await page.evaluate(() => window.nLicences) >= 1, `${name}: no licence was asked for`);
    } else {
        await page.waitForFunction(() => window.playerErrors.length > 0
            || document.querySelector("video").error, undefined, WAIT).catch(() => {});
        const codes = await page.evaluate(() => window.playerErrors);
        const all = loaded.code ? [loaded.code, ...codes] : codes;
        assert.ok(all.includes(6007), `${name}: ${JSON.stringify(all)}, want LICENSE_REQUEST_FAILED`);
        assert.equal(await page.evaluate(() => document.querySelector("video").currentTime), 0, name);
    }
    console.log(`encryption: ${name} ${plays ? "plays" : "does not play, as it should"}`);
    await page.close();
}

try {
    for (const one of cases) {
        await play(one);
    }
} finally {
    await browser.close();
}
