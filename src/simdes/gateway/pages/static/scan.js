// The camera: reads a QR code into a form's field, where the browser can, and sends the form where
// there is nothing else to fill in (data-send), else goes on to the next field.
// Barcode Detection API, https://wicg.github.io/shape-detection-api/; without it the page has no
// such button, and the field takes what is typed or what a hand scanner types.
"use strict";

const EVERY_MS = 250;

const offer = async () => {
  const part = document.querySelector("[data-scan]");
  const field = part && document.getElementById(part.dataset.scan);
  if (!field || !("BarcodeDetector" in window) || !navigator.mediaDevices) return;
  const formats = await window.BarcodeDetector.getSupportedFormats();
  if (!formats.includes("qr_code")) return;
  const video = part.querySelector("video");
  const [start, stop] = part.querySelectorAll("button");
  const refused = part.querySelector("[role=alert]");
  const detector = new window.BarcodeDetector({ formats: ["qr_code"] });
  const inputs = [...field.form.querySelectorAll("input:not([type=hidden])")];
  let stream = null;

  const end = () => {
    if (stream) stream.getTracks().forEach((one) => one.stop());
    stream = null;
    video.hidden = true;
    stop.hidden = true;
    start.hidden = false;
    start.focus();
  };

  const look = async () => {
    if (!stream) return;
    const found = await detector.detect(video).catch(() => []);
    const read = found.find((one) => one.rawValue);
    if (!read) {
      window.setTimeout(look, EVERY_MS);
      return;
    }
    field.value = read.rawValue;
    field.dispatchEvent(new Event("input"));
    end();
    if ("send" in part.dataset) field.form.requestSubmit();
    else inputs.at(inputs.indexOf(field) + 1).focus();
  };

  start.addEventListener("click", async () => {
    refused.hidden = true;
    try {
      const wanted = { video: { facingMode: "environment" }, audio: false };
      stream = await navigator.mediaDevices.getUserMedia(wanted);
    } catch {
      refused.hidden = false;
      end();
      return;
    }
    video.hidden = false;
    video.srcObject = stream;
    video.play().catch(() => {}); // until it plays, nothing is detected in it
    start.hidden = true;
    stop.hidden = false;
    stop.focus();
    look();
  });
  stop.addEventListener("click", end);
  part.hidden = false;
};

offer();
