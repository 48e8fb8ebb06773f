"""New pictures with given landmarks: the conditional generator of appendix G.5."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kpcore.api import Context, Decoding, Encoding, Image, KeypointModel
from kpcore.capabilities import Capabilities
from kpcore.errors import InputError, ShapeError
from kpcore.geometry.coordinates import pixel_centres
from kpcore.latents import Latents

_SLOPE = 0.2


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """Sizes and weights of the generator and its discriminator.

    The paper gives no numbers beyond "BEGAN"; sizes and rates are that paper's where it has them
    (Berthelot et al., 2017).

    Attributes:
        noise: Numbers of the random vector.
        width: Channels.
        sigma_edge: Standard deviation of the landmarks' Gaussians, in picture edges.
        diversity: gamma, how well generated pictures are to be reconstructed by the discriminator,
            as a share of how well true ones are.
        landmark_weight: Of the distance between the landmarks found in generated pictures and those
            that were asked for, in picture edges.
    """

    noise: int = 64
    width: int = 64
    sigma_edge: float = 0.06
    diversity: float = 0.7
    landmark_weight: float = 5.0

    def __post_init__(self) -> None:
        if not 0.0 < self.diversity <= 1.0:
            raise InputError(f"diversity is {self.diversity}; accepted is above 0 up to 1")


def _widen(before: int, after: int) -> nn.Sequential:
    """Double a map by repetition, then two convolutions."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Conv2d(before, after, 3, padding=1),
        nn.ELU(),
        nn.Conv2d(after, after, 3, padding=1),
        nn.ELU(),
    )


def _narrow(before: int, after: int) -> nn.Sequential:
    """Two convolutions, of which the second halves the map."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.ELU(),
        nn.Conv2d(after, after, 3, stride=2, padding=1),
        nn.ELU(),
    )


class Painter(nn.Module):
    """Noise and landmark maps to a picture: maps of one size, multiplied and joined."""

    def __init__(self, config: GeneratorConfig, size: int, landmarks: int) -> None:
        super().__init__()
        w, self._cells = config.width, size // 8
        self.seed = nn.Linear(config.noise, w * self._cells**2)
        self.noise_map = _widen(w, w)
        self.landmark_map = nn.Sequential(_narrow(landmarks + 1, w), _narrow(w, w))
        self.body = nn.Sequential(_widen(3 * w, w), _widen(w, w))
        self.head = nn.Conv2d(w, 3, 3, padding=1)

    def forward(
        self, noise: Float[Tensor, "B Z"], maps: Float[Tensor, "B N H W"]
    ) -> Float[Tensor, "B 3 H W"]:
        """Return pictures in (0, 1)."""
        seed = F.elu(self.seed(noise)).view(len(noise), -1, self._cells, self._cells)
        what, where = self.noise_map(seed), self.landmark_map(maps)
        return self.head(self.body(torch.cat([what, where, what * where], dim=1))).sigmoid()


class Judge(nn.Module):
    """An autoencoder whose error is the energy of a picture (BEGAN's discriminator)."""

    def __init__(self, config: GeneratorConfig, size: int) -> None:
        super().__init__()
        w, cells = config.width, size // 8
        self.encoder = nn.Sequential(
            _narrow(3, w), _narrow(w, w), _narrow(w, w), nn.Flatten(), nn.Linear(w * cells**2, 64)
        )
        self.decoder = nn.Sequential(
            nn.Linear(64, w * cells**2),
            nn.Unflatten(1, (w, cells, cells)),
            _widen(w, w),
            _widen(w, w),
            _widen(w, w),
            nn.Conv2d(w, 3, 3, padding=1),
        )

    def forward(self, image: Image) -> Float[Tensor, " B"]:
        """Return the mean absolute error of each picture's reconstruction."""
        again = self.decoder(self.encoder(2.0 * image - 1.0))
        return (again - (2.0 * image - 1.0)).abs().flatten(1).mean(1)


class Balance(nn.Module):
    """BEGAN's k: how much the discriminator minds generated pictures.

    A weight with a phase of its own, so that a resumed run goes on with it. Its gradient is
    BEGAN's control step; Departs: the step is Adam's, whose size does not depend on the error's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.k = nn.Parameter(torch.zeros(()))

    def forward(self) -> Float[Tensor, ""]:
        """Return k, held to 0..1."""
        return self.k.detach().clamp(0.0, 1.0)


class LandmarkGenerator(KeypointModel):
    """Pictures drawn at random that have the landmarks they are asked for.

    The landmark model is trained before and stays as it is; it finds the landmarks of a picture,
    and checks those of generated ones. `Latents.background` is the random vector: encoding gives
    zeros, its mean; `renewed` draws others. Moving a landmark moves it in the generated picture.

    Source: Zhang et al., CVPR 2018, figure 11 and appendix G.5.
    """

    def __init__(self, config: GeneratorConfig, renderer: KeypointModel) -> None:
        """Build a generator around a trained landmark model.

        Args:
            config: Sizes and weights.
            renderer: Any image model with a fixed number of particles that mean the same in every
                picture; its size and their number are the generator's.

        Raises:
            InputError: The landmark model's pictures are not square, or no multiple of 8.
        """
        super().__init__()
        able = renderer.capabilities
        height, width = able.image_size
        if height != width or height % 8:
            raise InputError(
                f"the landmark model works at {width} x {height}; a generator needs square "
                f"pictures whose side is a multiple of 8"
            )
        self._size, self._landmarks = height, able.particles
        self.config = config
        self.renderer = renderer.requires_grad_(False)
        self.painter = Painter(config, height, able.particles)
        self.judge = Judge(config, height)
        self.balance = Balance()

    def train(self, mode: bool = True) -> LandmarkGenerator:
        """Set the mode of all but the landmark model, which stays in eval mode."""
        super().train(mode)
        self.renderer.eval()
        return self

    @property
    def capabilities(self) -> Capabilities:
        """What this model can do."""
        return Capabilities(image_size=(self._size, self._size), particles=self._landmarks)

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        """Return the landmarks of each image, and the mean of the random vector."""
        found = self.renderer.encode(image).latents
        nothing = image.new_zeros(len(image), self.config.noise)
        return Encoding(Latents(found.position, found.topology, background=nothing))

    def renewed(self, latents: Latents, seed: int) -> Latents:
        """Return the same landmarks with another random vector."""
        chance = torch.Generator().manual_seed(seed)
        shape = (*latents.batch_shape, self.config.noise)
        noise = torch.randn(shape, generator=chance).to(latents.position)
        return replace(latents, background=noise)

    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        """Return the picture of each set of landmarks and random vector."""
        c, noise = self.config, latents.background
        if latents.count != self._landmarks or len(latents.batch_shape) != 1:
            raise ShapeError(
                f"the latents have {latents.count} particles in a batch of shape "
                f"{latents.batch_shape}; this model decodes all {self._landmarks} in a batch (B,)"
            )
        if noise is None or noise.shape[-1] != c.noise:
            seen = "none" if noise is None else f"shape {tuple(noise.shape)}"
            raise ShapeError(f"background has {seen}; this model takes (B, {c.noise})")
        return Decoding(self.painter(noise, self.maps(latents.position)))

    def maps(self, position: Float[Tensor, "B K 2"]) -> Float[Tensor, "B N H W"]:
        """Return the confidence maps that landmarks stand for, the background's last (eq. 12)."""
        along = pixel_centres(self._size, position.device, position.dtype)
        fall = (along - position[..., None]).square()
        sigma = self.config.sigma_edge
        # An edge is 2 in unit coordinates; the density is per squared edge.
        fall = (-0.5 * fall / (2.0 * sigma) ** 2).exp()
        bumps = fall[..., 1, :, None] * fall[..., 0, None, :] / (2.0 * torch.pi * sigma**2)
        scores = torch.cat([bumps, torch.ones_like(bumps[:, :1])], dim=1)
        return scores / scores.sum(1, keepdim=True)
