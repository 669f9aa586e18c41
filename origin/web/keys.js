// Keys of encrypted videos: Clear Key (W3C, Encrypted Media Extensions), from the origin, for who may play.
import Hls from "./hls.js";

const LICENCES = "/api/v1/licences/clearkey";

// The pass in the URL of a private video's media, as it stands there: …/<pass>/media/<video>/…
export function passOf(url) {
    const before = new URL(url).pathname.split("/media/")[0].split("/").pop();
    return before.includes("~") ? before : null;
}

// What hls.js is to know. `media()` is the URL of the main playlist, behind all redirects.
export function keysOf(session, media) {
    return {
        emeEnabled: true,
        drmSystems: { "org.w3.clearkey": { licenseUrl: LICENCES } },
        licenseXhrSetup: async (request) => {
            const [token, pass] = [await session.token(), passOf(media())];
            request.open("POST", pass ? `${LICENCES}?pass=${pass}` : LICENCES);
            request.setRequestHeader("Content-Type", "application/json");
            if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
        },
    };
}

function detailOf(request) {
    try {
        return JSON.parse(new TextDecoder().decode(request.response)).detail ?? "";
    } catch {
        return "";
    }
}

// What went wrong with a key, for people.
export function wordsOfKeyError({ details, networkDetails }) {
    const { ErrorDetails } = Hls;
    if (details === ErrorDetails.KEY_SYSTEM_LICENSE_REQUEST_FAILED) {
        return `This video is encrypted, and the server gave no key for it. ${detailOf(networkDetails)}`;
    }
    if (!window.isSecureContext) {
        return "This video is encrypted, and browsers play encrypted videos on secure pages alone: its address has to begin with https.";
    }
    return details === ErrorDetails.KEY_SYSTEM_NO_ACCESS || !navigator.requestMediaKeySystemAccess
        ? "This video is encrypted, and this browser cannot play encrypted videos."
        : "This video is encrypted, and this browser could not use its key.";
}
