// Asks the browser's wallet to sign what the page shows, and sends the signature with the form; or
// for its address alone, where a page has one to be typed.
// EIP-1193, https://eips.ethereum.org/EIPS/eip-1193; typed data as in EIP-712. The wallet shows the
// same values once more before it signs; without a wallet the field takes a signature made elsewhere.
"use strict";

(() => {
  const part = document.querySelector("[data-wallet], [data-connect]");
  if (!part) return;
  const asks = part.dataset.wallet ? JSON.parse(part.dataset.wallet) : null;
  const field = document.querySelector(asks ? "#signature" : "#address");
  const troubles = [...document.querySelectorAll("[data-trouble]")];
  const button = part.querySelector("button");
  const REFUSED = 4001; // the user said no

  const account = async (wallet) => (await wallet.request({ method: "eth_requestAccounts" }))[0];

  const sign = async (wallet) => {
    const chain = Number(await wallet.request({ method: "eth_chainId" }));
    if (chain !== asks.domain.chainId) throw new Error("chain");
    return wallet.request({
      method: "eth_signTypedData_v4", params: [await account(wallet), JSON.stringify(asks)],
    });
  };

  const named = (error) => {
    if (!asks) return "connect";
    return error.message === "chain" ? "chain" : error.code === REFUSED ? "no" : "else";
  };

  const unticked = () => {
    return [...field.form.querySelectorAll("[type=checkbox]")].some((one) => !one.reportValidity());
  };

  const offer = () => {
    if (!window.ethereum || !part.hidden) return;
    part.hidden = false;
    button.addEventListener("click", async () => {
      if (unticked()) return;
      troubles.forEach((one) => { one.hidden = true; });
      button.disabled = true;
      try {
        field.value = await (asks ? sign : account)(window.ethereum);
        field.form.requestSubmit();
      } catch (error) {
        troubles.find((one) => one.dataset.trouble === named(error)).hidden = false;
      } finally {
        button.disabled = false;
      }
    });
  };

  offer();
  window.addEventListener("ethereum#initialized", offer, { once: true });
})();
