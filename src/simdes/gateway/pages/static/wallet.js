// Asks the browser's wallet to sign what the page shows, and sends the signature with the form.
// EIP-1193, https://eips.ethereum.org/EIPS/eip-1193; typed data as in EIP-712. The wallet shows the
// same values once more before it signs; without a wallet the field takes a signature made elsewhere.
"use strict";

(() => {
  const part = document.querySelector("[data-wallet]");
  const troubles = [...part.querySelectorAll("[data-trouble]")];
  const button = part.querySelector("button");
  const field = document.querySelector("#signature");
  const document_ = JSON.parse(part.dataset.wallet);
  const REFUSED = 4001; // the user said no

  const sign = async (wallet) => {
    const chain = Number(await wallet.request({ method: "eth_chainId" }));
    if (chain !== document_.domain.chainId) throw new Error("chain");
    const [account] = await wallet.request({ method: "eth_requestAccounts" });
    return wallet.request({
      method: "eth_signTypedData_v4", params: [account, JSON.stringify(document_)],
    });
  };

  const offer = () => {
    if (!window.ethereum || !part.hidden) return;
    part.hidden = false;
    button.addEventListener("click", async () => {
      troubles.forEach((one) => { one.hidden = true; });
      button.disabled = true;
      try {
        field.value = await sign(window.ethereum);
        field.form.requestSubmit();
      } catch (error) {
        const named = error.message === "chain" ? "chain" : error.code === REFUSED ? "no" : "else";
        troubles.find((one) => one.dataset.trouble === named).hidden = false;
      } finally {
        button.disabled = false;
      }
    });
  };

  offer();
  window.addEventListener("ethereum#initialized", offer, { once: true });
})();
