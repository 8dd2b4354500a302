# The command line on a CPU, any verb:
#   docker build -t alignrec-geo .
#   docker run --rm -v "$PWD:/work" --user "$(id -u)" alignrec-geo train data/shop --out runs/shop
#   docker run --rm -v "$PWD:/work" -p 127.0.0.1:8000:8000 alignrec-geo serve runs/shop --host 0.0.0.0
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /source
# three layers, the one that changes least first: torch, the other packages, this one
RUN pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
COPY pyproject.toml constraints.txt README.md LICENSE ./
# others: --build-arg EXTRAS=encoders,serve (packages that constraints.txt does not pin come as they are)
ARG EXTRAS=ann,compare,hub,onnx,serve
RUN mkdir alignrec_geo && touch alignrec_geo/__init__.py \
    && pip install -c constraints.txt ".[${EXTRAS}]"
COPY datasets datasets
COPY alignrec_geo alignrec_geo
RUN rm -rf build *.egg-info && pip install --no-deps --force-reinstall .

FROM python:${PYTHON}-slim
RUN useradd --create-home --uid 1000 alignrec && mkdir /work && chown alignrec /work
COPY --from=build /opt/venv /opt/venv
# caches go where any --user may write
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ALIGNREC_CACHE=/tmp/alignrec_geo \
    HF_HOME=/tmp/huggingface \
    MPLCONFIGDIR=/tmp/matplotlib
USER alignrec
WORKDIR /work
EXPOSE 8000
ENTRYPOINT ["alignrec-geo"]
CMD ["--help"]
