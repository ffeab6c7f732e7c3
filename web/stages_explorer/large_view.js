import { createElement } from "../lib/dom.js";

/** Shows an element over the whole window, and puts it back where it was. */
export class LargeView {
  /** @type {HTMLDialogElement | null} while it is open */
  #dialog = null;

  /**
   * @param {HTMLElement} element
   * @param {(isOpen: boolean) => void} onChange
   */
  constructor(element, onChange) {
    this.element = element;
    this.onChange = onChange;
  }

  toggle() {
    if (this.#dialog) this.close();
    else this.#open();
  }

  close() {
    this.#dialog?.close();
  }

  #open() {
    const { element } = this;
    const place = document.createComment("the stages explorer, now in a dialog");
    element.replaceWith(place);
    const dialog = createElement("dialog", { className: "dpt-stages-dialog" }, element);
    this.#dialog = dialog;
    dialog.addEventListener("keydown", (event) => event.stopPropagation());
    dialog.addEventListener("close", () => {
      this.#dialog = null;
      if (dialog.contains(element)) place.replaceWith(element);
      place.remove();
      dialog.remove();
      this.onChange(false);
    });
    document.body.append(dialog);
    dialog.showModal();
    element.focus({ preventScroll: true, focusVisible: false });
    this.onChange(true);
  }
}
