// The elements of the explorer, without any behaviour beyond its buttons.

import { createElement, stopEvents } from "../lib/dom.js";
import { Picture } from "./picture.js";
import { STYLE } from "./style.js";

/**
 * @typedef {object} PanelActions what the buttons and the slider do
 * @property {() => void} toggle
 * @property {() => void} showColors
 * @property {() => void} copy
 * @property {() => void} showBlock
 */

export class Panel {
  /** @param {PanelActions} actions */
  constructor(actions) {
    this.toggle = createButton("Explore", "Open or close the explorer", actions.toggle);
    this.toggle.disabled = true;
    const colorsTitle = "Back to the main components as colors (Esc)";
    this.colors = createButton("Colors", colorsTitle, actions.showColors);
    const followTitle = "Compare with the place under the mouse without pressing";
    this.follow = createButton("Follow", followTitle, () => {
      this.follow.setAttribute("aria-pressed", `${!this.isFollowing}`);
    });
    this.follow.setAttribute("aria-pressed", "false");
    const copyTitle = "Copy this view to the clipboard as a PNG";
    this.copy = createButton("Copy", copyTitle, actions.copy);
    this.status = createElement("span", { className: "status" });
    this.status.setAttribute("role", "status");

    this.strip = createElement("div", { className: "strip" });
    this.slider = createElement("input", { type: "range", min: "1", max: "1", title: "Block" });
    this.slider.value = "1";
    this.slider.setAttribute("aria-label", "Block");
    this.slider.addEventListener("input", actions.showBlock);
    this.sliderText = createElement("span");
    this.large = new Picture();
    this.large.element.className = "large";

    this.root = createElement(
      "div",
      { className: "dpt-stages" },
      createElement("style", { textContent: STYLE }),
      createElement(
        "div",
        { className: "bar" },
        ...[this.toggle, this.colors, this.follow, this.copy, this.status],
      ),
      createElement(
        "div",
        { className: "body" },
        this.strip,
        createElement("div", { className: "slider" }, this.sliderText, this.slider),
        this.large.element,
      ),
    );
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Explorer of the stages");
    // Or the graph would start a drag or open a menu of its own.
    stopEvents(this.root, ["pointerdown", "contextmenu", "dblclick"]);
    this.setOpen(false);
  }

  /** Whether moving the mouse is enough to compare. */
  get isFollowing() {
    return this.follow.getAttribute("aria-pressed") === "true";
  }

  /** @param {boolean} isOpen */
  setOpen(isOpen) {
    this.root.classList.toggle("open", isOpen);
    this.root.tabIndex = isOpen ? 0 : -1;
    this.toggle.textContent = isOpen ? "Close" : "Explore";
    this.toggle.setAttribute("aria-expanded", `${isOpen}`);
    for (const button of [this.colors, this.follow, this.copy]) button.hidden = !isOpen;
  }

  /** @param {string} text */
  say(text) {
    this.status.textContent = text;
  }
}

/** @param {string} textContent @param {string} title @param {() => void} onclick */
function createButton(textContent, title, onclick) {
  return createElement("button", { type: "button", textContent, title, onclick });
}
