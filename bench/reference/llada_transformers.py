"""LoRA tuning and a sampler's pass of a LLaDA as one writes them with transformers and peft.

LLaDA-8B is a Llama without the causal mask: its shape is given to LlamaForCausalLM, weights are random and
held in bf16, adapters sit where FlexMDM-8B has them, logits are computed at every position. FlexMDM's time
path and gap head are left out, so this side does a little less than ours. A sampler's pass takes the
probabilities in float64, as LLaDA's own generate.py does.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from flexmdm_torch import dense
from torch import Tensor, nn

Json = dict[str, Any]


class Bench:
    """Raises ImportError where transformers or peft is missing."""

    def __init__(self, job: Json, feeds: dict[str, Tensor], device: str) -> None:
        from peft import LoraConfig, get_peft_model
        from transformers import LlamaConfig, LlamaForCausalLM

        m, o = job["model"], job["optimizer"]
        config = LlamaConfig(
            vocab_size=m["tableRows"],
            hidden_size=m["width"],
            intermediate_size=m["mlpWidth"],
            num_hidden_layers=m["layers"],
            num_attention_heads=m["heads"],
            num_key_value_heads=m["heads"],
            rms_norm_eps=m["rmsEps"],
            rope_parameters={"rope_type": "default", "rope_theta": m["ropeBase"]},
            max_position_embeddings=4096,
            tie_word_embeddings=False,
            use_cache=False,
            attn_implementation="sdpa",
        )
        held = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)
        try:
            with torch.device(device):
                base = LlamaForCausalLM(config)
        finally:
            torch.set_default_dtype(held)
        for layer in base.model.layers:
            layer.self_attn.is_causal = False
        adapters = LoraConfig(
            r=m["lora"]["rank"],
            lora_alpha=m["lora"]["alpha"],
            target_modules=["q_proj", "k_proj", "v_proj", "lm_head"],
        )
        self.device, self.clip = torch.device(device), job["clipNorm"]
        self.model = get_peft_model(base, adapters).to(self.device)
        self.feeds = dense(feeds, self.device)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=o["learningRate"],
            betas=o["betas"],
            eps=o["eps"],
            weight_decay=o["weightDecay"],
        )

    def logits(self) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16):
            logits: Tensor = self.model(input_ids=self.feeds["ids"]).logits
        return logits

    def step(self) -> float:
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.logits()
        nats = F.cross_entropy(
            logits.flatten(0, 1).float(), self.feeds["targets"].flatten(), reduction="none"
        )
        loss = (nats * self.feeds["weights"].flatten()).sum()
        torch.autograd.backward(loss)
        if self.clip > 0:
            nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimizer.step()
        return loss.item()

    def gradients(self) -> tuple[float, dict[str, Tensor]]:
        raise NotImplementedError("its weights are drawn by PyTorch: there is nothing to compare with")

    @torch.no_grad()
    def sample(self) -> list[Tensor]:
        logits = self.logits()
        tokens = logits.argmax(-1)
        sure = F.softmax(logits.to(torch.float64), -1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
        return [tokens.cpu(), sure.cpu()]
