FROM python:3.11-slim
# letters for the cards of latents
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends fonts-dejavu-core && rm -rf /var/lib/apt/lists/*
ARG EXTRAS=postgres
WORKDIR /product
COPY pyproject.toml constraints.txt README.md LICENSE dense_latents.py ./
COPY app app
COPY analysis analysis
COPY store store
COPY migrations migrations
COPY templates templates
COPY static static
COPY data data
RUN pip install --no-cache-dir -c constraints.txt -e ".[$EXTRAS]"
RUN useradd --create-home reader && mkdir /cache && chown reader /cache
USER reader
ENTRYPOINT ["dense-latents"]
