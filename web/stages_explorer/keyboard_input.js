import { ARROW_KEYS } from "../lib/arrow_keys.js";

/** @import { Gallery } from "./gallery.js" */

/** The keys work while the pointer is over the explorer. @param {Gallery} gallery */
export function listenToKeyboard(gallery) {
  const { root } = gallery.panel;
  root.addEventListener("keydown", (event) => handleKey(gallery, event));
  root.addEventListener("pointerenter", () => {
    const isOpen = root.classList.contains("open");
    const isTyping = /^(INPUT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
    if (isOpen && !isTyping) root.focus({ preventScroll: true, focusVisible: false });
  });
  root.addEventListener("pointerleave", () => {
    if (document.activeElement === root) root.blur();
  });
}

/** @param {Gallery} gallery @param {KeyboardEvent} event */
function handleKey(gallery, event) {
  const { key } = event;
  const { root } = gallery.panel;
  const isOpen = root.classList.contains("open");
  if (!isOpen || event.ctrlKey || event.metaKey || event.altKey) return;
  if (key === "Delete" || key === "Backspace") {
    event.stopPropagation(); // they would delete the node
    return;
  }
  if (!gallery.file) return;
  if (/^[1-4]$/.test(key)) gallery.chooseStage(Number(key));
  else if (key === "Escape" && root.closest("dialog")) return; // which it closes
  else if (key === "Escape") gallery.setPoint(null);
  else if (!(key in ARROW_KEYS)) return;
  else if (event.target !== gallery.panel.slider) {
    gallery.movePoint(...ARROW_KEYS[key]);
    event.preventDefault(); // of scrolling
  }
  event.stopPropagation(); // these keys have other meanings in the graph
}
