"""A day's work with the generated client: `python use_python_client.py ADDRESS KEY`; prints JSON.

It runs where the generator is installed, and imports nothing of FlexiPrice.
"""

import json
import sys
from datetime import UTC, datetime, timedelta

from shop_client import AuthenticatedClient
from shop_client.api.batches import create_batch, put_batches
from shop_client.api.discounts import get_task_status, trigger_recompute
from shop_client.api.prices import get_product_price
from shop_client.api.products import list_products
from shop_client.models import BatchCreate, Problem
from shop_client.types import File

address, key = sys.argv[1:]
client = AuthenticatedClient(base_url=address, token=key, timeout=120, raise_on_unexpected_status=True)
told = {}

products = list_products.sync(client=client, limit=500).items
sku = products[0].sku
told["products"] = len(products)

tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
batch = create_batch.sync(
    client=client, body=BatchCreate(sku=sku, lot="made-by-a-client", expiry_date=tomorrow, quantity=7)
)
told["batch"] = {"id": batch.batch_id, "repricing": batch.repricing.status.value}

started = trigger_recompute.sync(client=client)
task = get_task_status.sync(started.task_id, client=client, wait=30)
told["task"] = {"name": task.task, "status": task.status.value, "same_id": task.task_id == started.task_id}

price = get_product_price.sync(sku, client=client)
told["price"] = price.lowest_price
told["price_of_batch"] = min((each.price for each in price.batches), key=float)

lines = f"Article;expiry_date;quantity;lot\n{sku};{tomorrow:%d.%m.%Y};3;sent-as-a-row\n{sku};soon;3;bad\n"
answer = put_batches.sync(
    client=client,
    body=File(payload=lines.encode()),
    map_=["sku=Article"],
    date_format=["%d.%m.%Y"],
)
(bad,) = answer.report.bad_rows
told["uploaded"] = {
    "read": answer.report.read,
    "new": answer.report.batches_new,
    "bad": [bad.line, bad.problems[0].column],
    "repricing": answer.repricing.status.value,
}

problem = create_batch.sync(client=client, body=BatchCreate(sku=sku, expiry_date=tomorrow, quantity=-1))
assert isinstance(problem, Problem)
told["refused"] = problem.code

sys.stdout.write(f"{json.dumps(told)}\n")
