"""What WCAG 2.2 AA asks of a page and axe-core does not look at: focus, targets, errors, sign-in.

https://www.w3.org/TR/WCAG22/: 1.3.1 (headings), 2.4.7 and 2.4.11 (focus that is seen and not
hidden), 2.5.8 (targets of 24 pixels, or as far apart), 3.3.1 (an error is tied to its form), 3.3.8
(what is asked at sign-in may be pasted and filled in), 4.1.3 (what was done is announced).
"""

from __future__ import annotations

BEYOND_AXE = """() => {
  const told = [];
  const say = (rule, one) => told.push(`${rule}: ${one.outerHTML.slice(0, 200)}`);
  const shown = (one) => one.checkVisibility({ visibilityProperty: true });
  const all = (named) => [...document.querySelectorAll(named)].filter(shown);
  let before = 0;
  for (const one of all("h1, h2, h3, h4, h5, h6")) {
    const level = Number(one.tagName[1]);
    if (level > before + 1) say("a heading skips a level", one);
    before = level;
  }

  const targets = all("a[href], button, input:not([type=hidden]), select, textarea, summary");
  const boxes = targets.map((one) => (one.closest("label") ?? one).getBoundingClientRect());
  const small = (box) => box.width < 24 || box.height < 24;
  const middle = (box) => [box.x + box.width / 2, box.y + box.height / 2];
  const near = ([x, y], box) => {
    if (small(box)) return Math.hypot(x - middle(box)[0], y - middle(box)[1]) < 24;
    const aside = Math.max(box.left - x, x - box.right, 0);
    return Math.hypot(aside, Math.max(box.top - y, y - box.bottom, 0)) < 12;
  };
  const inSentence = (one) =>
    one.matches("a") &&
    [...one.parentElement.childNodes].some((its) => its.nodeType === 3 && /\\w/.test(its.data));
  targets.forEach((one, at) => {
    if (!small(boxes[at]) || inSentence(one) || one.matches(".skip")) return;
    const crowded = boxes.some((box, other) => other !== at && near(middle(boxes[at]), box));
    if (crowded) say("a target is small and close to another", one);
  });

  const ringed = (one) => {
    document.getAnimations().forEach((each) => each.finish());
    const { outlineStyle, outlineWidth } = getComputedStyle(one);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  };
  const focused = document.activeElement;
  for (const one of targets.filter((one) => !one.disabled)) {
    one.focus({ focusVisible: true });
    if (document.activeElement !== one) say("can't be focused", one);
    else if (!ringed(one)) say("its focus is not seen", one);
  }
  document.activeElement.blur();
  focused?.focus?.({ preventScroll: true });
  for (const one of all("body *")) {
    const { position } = getComputedStyle(one);
    if (position === "fixed" || position === "sticky") say("may hide the focus", one);
  }

  const fields = all("main :is(input:not([type=hidden]), select, textarea)");
  const alert = all("#trouble")[0];
  const tied = (one) => one.matches(`[aria-describedby~="${alert.id}"]`);
  if (alert && fields.length && ![...fields, ...all("main form")].some(tied))
    say("an error is tied to no field or form", alert);
  for (const one of all(".done, .trouble"))
    if (!one.closest("[role]")) say("is not announced", one);
  for (const one of fields) {
    if (one.type === "password" && one.name && !/^(current|new)-password$/.test(one.autocomplete))
      say("can't be filled in by a password manager", one);
    const paste = new ClipboardEvent("paste", { bubbles: true, cancelable: true });
    if (!one.dispatchEvent(paste)) say("takes no paste", one);
  }
  return told;
}"""
