// Applies the chosen colour theme before the page is drawn, so that it never
// flashes in the wrong one. A classic script on purpose: modules run too late.
(() => {
  try {
    const theme = localStorage.getItem('swapcast.theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch {
    // No storage: the system's theme it is.
  }
})();
