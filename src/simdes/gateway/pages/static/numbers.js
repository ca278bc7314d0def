// The number of an account as it was printed: four lines, each with two digits to check it by
// (simdes/typed_numbers.py). Says which line is wrong before the form is sent; the gateway does so
// without JavaScript.
"use strict";

const LINE = 16;
const PRINTED = 4 * (LINE + 2);

const wrongLine = (text) => {
  const digits = text.trim().replace(/^0x/i, "").replace(/[\s.\u00b7-]+/g, "");
  if (digits.length !== PRINTED || /[^0-9a-f]/i.test(digits)) return 0;
  for (let line = 1; line <= 4; line += 1) {
    const start = (line - 1) * (LINE + 2);
    const said = digits.slice(start, start + LINE);
    const check = 97n - (BigInt(`0x0${line}${said}`) % 97n);
    if (digits.slice(start + LINE, start + LINE + 2) !== String(check).padStart(2, "0")) return line;
  }
  return 0;
};

for (const field of document.querySelectorAll("[data-number]")) {
  const look = () => {
    const line = wrongLine(field.value);
    field.setCustomValidity(line ? field.dataset.wrong.replace("#", String(line)) : "");
  };
  field.addEventListener("input", look);
  look();
}
