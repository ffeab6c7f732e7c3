// The elements of the explorer, without any behaviour beyond its buttons.

import { createElement, stopEvents } from "../lib/dom.js";
import { Picture } from "./picture.js";
import { STYLE } from "./style.js";

/**
 * @typedef {object} PanelActions what the buttons and the slider do
 * @property {() => void} toggle
 * @property {() => void} showColours
 * @property {() => void} copy
 * @property {() => void} toggleLargeView
 * @property {() => void} showBlock
 */

export class Panel {
  /** @param {PanelActions} actions */
  constructor(actions) {
    this.toggle = createButton("Explore", "Open or close the explorer", actions.toggle);
    this.toggle.disabled = true;
    const coloursTitle = "Show the feature maps as colours again (Esc)";
    this.colours = createButton("Colours", coloursTitle, actions.showColours);
    const followTitle = "Compare with the position under the mouse without pressing";
    this.follow = createButton("Follow", followTitle, () => {
      this.follow.setAttribute("aria-pressed", `${!this.isFollowing}`);
    });
    this.follow.setAttribute("aria-pressed", "false");
    const copyTitle = "Copy this view to the clipboard as a PNG";
    this.copy = createButton("Copy", copyTitle, actions.copy);
    this.largeView = createButton("", "", actions.toggleLargeView);
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
        ...[this.toggle, this.colours, this.follow, this.copy, this.largeView, this.status],
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
    this.root.setAttribute("aria-label", "Stages explorer");
    // Or the graph would start a drag or open a menu of its own.
    stopEvents(this.root, ["pointerdown", "contextmenu", "dblclick"]);
    this.setOpen(false);
    this.setLarge(false);
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
    const buttons = [this.colours, this.follow, this.copy, this.largeView];
    for (const button of buttons) button.hidden = !isOpen;
  }

  /** @param {boolean} isLarge whether the explorer fills the window */
  setLarge(isLarge) {
    this.largeView.textContent = isLarge ? "Back to the node" : "Full window";
    this.largeView.title = isLarge ? "Back to the node (Esc)" : "Explore in the whole window";
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
