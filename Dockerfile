# headwater in a container: one process a stage, or all of them.
FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY detectors detectors
COPY correlator correlator
COPY streams streams
RUN python -m venv /opt/headwater \
 && /opt/headwater/bin/pip install --no-cache-dir -r requirements.lock \
 && /opt/headwater/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 headwater && mkdir /state && chown headwater /state
COPY --from=build /opt/headwater /opt/headwater
USER headwater
WORKDIR /state
ENV PATH=/opt/headwater/bin:$PATH \
    HEADWATER_STATE_DIR=/state \
    HEADWATER_SERVE__HOST=0.0.0.0 \
    HEADWATER_LOG__FORMAT=json
VOLUME /state
EXPOSE 8080
HEALTHCHECK --interval=10s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=3)"]
ENTRYPOINT ["headwater"]
CMD ["run"]
