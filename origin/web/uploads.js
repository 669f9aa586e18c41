// Files on their way to the origin: Uppy's S3 plugin, each of whose requests the API signs.
import { AwsS3, Uppy } from "./uppy.js";

const PARTS_FROM = 8 * 1024 * 1024; // smaller files go at once
const PART = 8 * 1024 * 1024;
const MAX_PARTS = 10000;

export class Uploads {
    // hooks: sign(request), progress(id, percent), failed(id, error), done(id); ids are of videos.
    constructor(hooks) {
        this.hooks = hooks;
        this.files = new Map(); // of those under way: id of the video → Uppy's of the file
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
        this.uppy.on("upload-error", ({ meta }, error) => this.end(meta.video, () => hooks.failed(meta.video, error)));
        this.uppy.on("upload-success", ({ meta }) => this.end(meta.video, () => hooks.done(meta.video)));
    }

    add(video, file) {
        this.files.set(video, this.uppy.addFile({ name: file.name, type: file.type, data: file,
            meta: { video }, id: video }));
    }

    // Returns whether it rests now.
    pause(video) {
        return this.uppy.pauseResume(this.files.get(video)) ?? false;
    }

    async end(video, tell) {
        const file = this.files.get(video);
        this.files.delete(video);
        try {
            await tell();
        } catch (error) {
            this.hooks.failed(video, error);
        }
        if (file && this.uppy.getFile(file)) this.uppy.removeFile(file);
    }

    cancel(video) {
        const file = this.files.get(video);
        this.files.delete(video);
        if (file) this.uppy.removeFile(file);
    }

    cancelAll() {
        for (const video of [...this.files.keys()]) this.cancel(video);
    }

    get areUnderWay() { return this.files.size > 0; }
}
