// Files on their way to the origin: Uppy's S3 plugin, each of whose requests the API signs.
import { aWhile } from "./progress.js";
import { AwsS3, Uppy } from "./uppy.js";

const PARTS_FROM = 8 * 1024 * 1024; // smaller files go at once
const PART = 8 * 1024 * 1024;
const MAX_PARTS = 10000;
const AGAIN_MS = 2000;

// Whether it was the network, and not a server that does not want the file.
const isAway = (error) => !navigator.onLine || error.code === "NETWORK" || error.status >= 500 || error.mayPass;

export class Uploads {
    // hooks: sign(request), progress(id, percent), lost(id), failed(id, error), done(id); ids are of videos.
    constructor(hooks) {
        this.hooks = hooks;
        this.files = new Map(); // of those that are not done: id of the video → Uppy's of the file
        this.uppy = new Uppy({ autoProceed: true, allowMultipleUploadBatches: true })
            .use(AwsS3, {
                signRequest: (request) => hooks.sign(request),
                generateObjectKey: ({ meta, name }) => `${meta.video}/${name.replaceAll("/", "_")}`,
                shouldUseMultipart: ({ size }) => size > PARTS_FROM,
                getChunkSize: ({ size }) => Math.max(PART, Math.ceil(size / MAX_PARTS)),
            });
        this.uppy.on("upload-progress", ({ meta }, { bytesUploaded, bytesTotal }) => {
            hooks.progress(meta.video, Math.floor(bytesUploaded / (bytesTotal || 1) * 100));
        });
        this.uppy.on("upload-error", ({ meta }, error) => this.stopped(meta.video, error));
        this.uppy.on("upload-success", ({ meta }) => this.finish(meta.video));
    }

    // `begun`: {uploadId, key} of an upload in parts that is gone on with.
    add(video, file, begun) {
        this.cancel(video);
        const id = this.uppy.addFile({ name: file.name, type: file.type, data: file, meta: { video }, id: video });
        this.files.set(video, id);
        if (begun) this.uppy.setFileState(id, { s3Multipart: begun });
    }

    // Returns whether it rests now.
    pause(video) {
        return this.uppy.pauseResume(this.files.get(video)) ?? false;
    }

    // Goes on by itself where the network was away; parts that are there are not sent again.
    async stopped(video, error) {
        const file = this.files.get(video);
        if (!isAway(error)) {
            this.hooks.failed(video, error);
            return;
        }
        this.hooks.lost(video);
        await aWhile(AGAIN_MS);
        if (this.files.get(video) === file) this.again(video);
    }

    again(video) {
        this.uppy.retryUpload(this.files.get(video)).catch(() => { /* was told as an event */ });
    }

    async finish(video) {
        try {
            await this.hooks.done(video);
            this.cancel(video);
        } catch (error) {
            this.hooks.failed(video, error);
        }
    }

    cancel(video) {
        const file = this.files.get(video);
        this.files.delete(video);
        if (file && this.uppy.getFile(file)) this.uppy.removeFile(file);
    }

    cancelAll() {
        for (const video of [...this.files.keys()]) this.cancel(video);
    }

    get areUnderWay() { return this.files.size > 0; }
}
