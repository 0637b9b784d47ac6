# The gateway. PyTorch's CPU build must be where pip looks: PIP_EXTRA_INDEX_URL, see docker-compose.yml.
FROM python:3.11-slim

ARG PIP_EXTRA_INDEX_URL=""
ENV HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1

RUN useradd --create-home tollgate && install -d -o tollgate /var/lib/tollgate
WORKDIR /app
COPY requirements/gateway.txt requirements/
RUN pip install --no-cache-dir --require-hashes -r requirements/gateway.txt
# With .git: the versions of a prompt are its history. Owned by the user, or git refuses to read it.
COPY --chown=tollgate . .
RUN pip install --no-cache-dir --no-build-isolation --no-deps -e .

USER tollgate
EXPOSE 8080
ENTRYPOINT ["tollgate"]
CMD ["serve", "--host", "0.0.0.0"]
