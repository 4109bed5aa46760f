// The two webhooks that BigLedger's applet page prints, in our own form, and the objects that BigLedger's API pages
// print for the events they hear: in camelCase as published, and the same in snake_case.
export const ORDER_WEBHOOK = {
  name: "E-Commerce Order Integration",
  events: ["sales_order.created", "sales_order.updated", "sales_order.cancelled", "payment.received"],
  filters: ["order.total > 100", 'order.status != "draft"'],
  transform: {
    template: {
      order_id: "{{ order.id }}",
      customer_id: "{{ order.customer_id }}",
      total_amount: "{{ order.total }}",
      status: "{{ order.status }}",
      items: "{{ order.items }}",
      timestamp: "{{ event.timestamp }}",
    },
  },
} as const;

export const CRM_WEBHOOK = {
  name: "CRM Customer Synchronization",
  events: ["customer.created", "customer.updated", "customer.deleted"],
  transform: {
    template: {
      customer_id: "{{ customer.id }}",
      name: "{{ customer.name }}",
      email: "{{ customer.email }}",
      phone: "{{ customer.phone }}",
      address: "{{ customer.address }}",
      created_date: "{{ customer.created_date }}",
    },
  },
} as const;

/** A sales order as the API prints it; JSON text, because its numbers are written with a decimal. */
export const SALES_ORDER = `{
  "id": "so_987654321",
  "orderNumber": "SO-2024-0001",
  "customerId": "cust_123456789",
  "customer": { "id": "cust_123456789", "name": "Acme Corporation", "email": "billing@acme.com" },
  "orderDate": "2024-01-15",
  "requiredDate": "2024-02-15",
  "status": "confirmed",
  "priority": "normal",
  "currency": "MYR",
  "exchangeRate": 1.0,
  "reference": "PO-ABC-123",
  "items": [
    {
      "id": "soi_111",
      "itemId": "item_widget001",
      "itemCode": "WDG-001",
      "description": "Premium Widget",
      "quantity": 100,
      "unitPrice": 25.00,
      "discountPercent": 5.0,
      "discountAmount": 125.00,
      "lineTotal": 2375.00,
      "taxCode": "SST",
      "taxRate": 6.0,
      "taxAmount": 142.50
    }
  ],
  "subtotal": 2375.00,
  "totalTax": 142.50,
  "shippingCost": 50.00,
  "total": 2567.50,
  "fulfillment": { "status": "pending", "shippedQuantity": 0, "trackingNumber": null },
  "createdBy": "user_456",
  "createdAt": "2024-01-15T10:30:00Z",
  "updatedAt": "2024-01-15T15:45:00Z"
}`;

/** A customer as the API prints it. */
export const CUSTOMER = `{
  "id": "cust_123456789",
  "customerNumber": "CUST-0001",
  "name": "Acme Corporation",
  "type": "business",
  "email": "billing@acme.com",
  "phone": "+60123456789",
  "address": {
    "street": "123 Main Street",
    "street2": "Suite 100",
    "city": "Kuala Lumpur",
    "state": "Selangor",
    "postalCode": "50000",
    "country": "MY"
  },
  "currency": "MYR",
  "creditLimit": 50000.00,
  "status": "active",
  "tags": ["enterprise", "retail"],
  "customFields": { "industry": "Technology" },
  "createdAt": "2024-01-01T00:00:00Z",
  "updatedAt": "2024-01-15T10:30:00Z"
}`;

/** The same text with every member's name in snake_case. */
export function inSnakeCase(json: string): string {
  return json.replaceAll(/"(\w+)":/g, (_, name: string) => {
    const snake = name.replaceAll(/(?<=[a-z0-9])([A-Z])/g, (letter) => `_${letter.toLowerCase()}`);
    return `"${snake}":`;
  });
}
