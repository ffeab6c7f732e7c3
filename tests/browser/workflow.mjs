// Pieces of workflows in the form that the editor loads.

/** @param {string} name @param {string} type @param {number[] | null} links */
export const output = (name, type, links = null) => ({ name, type, links });

/** @param {string} name @param {string} type @param {number} link */
export const input = (name, type, link) => ({ name, type, link });
