"""Runs one release on Spark, in Spark's own environment: SOURCE POLICY-FILE INTO."""

from __future__ import annotations

import os
import sys
from datetime import date
from pathlib import Path


def main() -> None:
    from pyspark import SparkConf, SparkContext

    from simdes.research.spark import release_on_spark

    source, policy_file, into = sys.argv[1:]
    os.environ["PYSPARK_PYTHON"] = sys.executable
    conf = SparkConf().setMaster("local[2]").setAppName("release")
    conf.set("spark.ui.enabled", "false").set("spark.driver.memory", "1g")
    conf.set("spark.driver.bindAddress", "127.0.0.1").set("spark.driver.host", "127.0.0.1")
    context = SparkContext(conf=conf)
    try:
        data = Path(policy_file).read_bytes()
        made = release_on_spark(
            context, source, data, secret=b"s" * 32, today=date(2026, 11, 23), into=into
        )
        print(made)
    finally:
        context.stop()


if __name__ == "__main__":
    main()
