"""Narrow stores for what the keeper must not forget. They keep promises (`nbgate.ports`) and decide nothing."""
