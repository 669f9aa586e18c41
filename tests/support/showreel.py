"""A clip for what players switch: red for its first half, blue for its second; sound in
English and German; subtitles that say their language and their second."""
import subprocess


def subtitles(path, language, seconds):
    path.write_text("".join(f"{n + 1}\n00:00:{n:02d},000 --> 00:00:{n:02d},950\n{language} {n}\n\n"
                            for n in range(seconds)))
    return path


def showreel(folder, seconds=12, size="320x180", texts=("en", "de")):
    """Makes <folder>/showreel.mkv; returns its path."""
    half, path = seconds / 2, folder / "showreel.mkv"
    codes = {"en": "eng", "de": "ger", "fr": "fre"}
    files = [subtitles(folder / f"{language}.srt", language, seconds) for language in texts]
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi",
               "-i", f"color=red:s={size}:r=25:d={half}[a];color=blue:s={size}:r=25:d={half}[b];[a][b]concat",
               "-f", "lavfi", "-i", f"sine=440:d={seconds}", "-f", "lavfi", "-i", f"sine=660:d={seconds}"]
    for file in files:
        command += ["-i", str(file)]
    for n in range(3 + len(files)):
        command += ["-map", str(n)]
    command += ["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger"]
    for n, language in enumerate(texts):
        command += [f"-metadata:s:s:{n}", f"language={codes[language]}"]
    subprocess.run([*command, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
                    "-c:a", "aac", "-c:s", "srt", str(path)], check=True)
    return path
