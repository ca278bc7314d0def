"""`simdes demo`: the main job on shipped sample messages, told and checked step by step."""

from simdes.demo.living import serve
from simdes.demo.stage import empty_folder
from simdes.demo.story import SAMPLES, run

__all__ = ["SAMPLES", "empty_folder", "run", "serve"]
