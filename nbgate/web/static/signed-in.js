/* The end of the small sign-in window: it tells the pages of this gateway, and closes itself where the browser lets it. */

(() => {
  "use strict";

  new BroadcastChannel("nbgate").postMessage("signed-in");
  window.close();
})();
