/**
 * A set-up code read by the camera: by the browser's own reader of QR codes, or by a library where it has none.
 *
 * `readCode`: shows the picture until a code is seen; null when the camera cannot be used, or staff stop it. No picture
 * leaves this function.
 */

const EVERY_MS = 200;
const WIDTH = 640;

export async function readCode(place, told) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    told.textContent = told.dataset.camera;
    return null;
  }
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true, srcObject: stream });
  const stop = place.querySelector("[data-do='stop-camera']");
  let stopped = false;
  stop.hidden = false;
  stop.addEventListener("click", () => (stopped = true), { once: true });
  place.append(video);
  try {
    await video.play();
    told.textContent = told.dataset.looking;
    const read = await reader();
    while (!stopped) {
      const text = await read(video);
      if (text) return codeIn(text);
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    return null;
  } finally {
    stream.getTracks().forEach((track) => track.stop());
    video.remove();
    stop.hidden = true;
    told.textContent = "";
  }
}

/** The code itself, or the address of the set-up page with the code after #. */
function codeIn(text) {
  return text.includes("#") ? decodeURIComponent(text.slice(text.indexOf("#") + 1)) : text;
}

async function reader() {
  if ("BarcodeDetector" in globalThis && (await BarcodeDetector.getSupportedFormats()).includes("qr_code")) {
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    return async (video) => (await detector.detect(video).catch(() => []))[0]?.rawValue;
  }
  const { default: decode } = await import("../vendor/qr/decode.js");
  const canvas = new OffscreenCanvas(WIDTH, WIDTH);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return (video) => {
    canvas.width = WIDTH;
    canvas.height = Math.round((WIDTH * video.videoHeight) / video.videoWidth) || WIDTH;
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    try {
      return decode(context.getImageData(0, 0, canvas.width, canvas.height));
    } catch {
      return null; // no code in this picture
    }
  };
}
